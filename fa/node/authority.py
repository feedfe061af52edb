"""Who belongs to the array: its own certificate authority, and what a certificate says about a node.

Nothing of the machine's trust store is used. A node's certificate says in its subject alternative name
``fa://<array_id>/node/<name>/<incarnation>``; peers check this identity, not host names, which closed networks rarely
have (SECURITY.md 4.1). Host names and addresses are in it as well, for curl and browsers, and the name of
:func:`host_of`, by which OpenSSL checks the identity while it shakes hands.

Clocks of rooms without internet are wrong now and then, and an array that stops at night because a certificate ended
helps nobody: between nodes the chain is checked without dates, a wrong date is a warning (:func:`date_trouble`), and
who may not come any more is struck from the table of members, which is asked on each connection.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fa.errors import Invalid, NotFound, Unauthorized

CA_LIFE = timedelta(days=20 * 365)
NODE_LIFE = timedelta(days=365)
SKEW = timedelta(hours=24)  # by which clocks may differ: certificates begin that much before they are made

_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL; the ssl module has no name for it
_IDENTITY = re.compile(
    r"fa://([A-Za-z0-9-]{1,64})/node/([A-Za-z0-9][A-Za-z0-9._-]{0,62})/([A-Za-z0-9-]{0,64})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a certificate says: a node of an array, in one of its lives."""

    array_id: str
    node: str
    incarnation: str

    @property
    def uri(self) -> str:
        return f"fa://{self.array_id}/node/{self.node}/{self.incarnation}"


def host_of(array_id: str, node: str) -> str:
    """The name a node goes by inside TLS (``server_hostname``), wherever it listens: so the handshake itself refuses
    whoever is another node than the one that was meant, before anything is said."""
    return f"{node}.{array_id}.fa"


def parse_identity(uri: str) -> Identity | None:
    match = _IDENTITY.fullmatch(uri)
    return Identity(*match.groups()) if match else None


def identity_of(peer_certificate: Any) -> Identity | None:
    """The identity in what ``SSLObject.getpeercert()`` gave: None without a certificate or without one identity."""
    names = (peer_certificate or {}).get("subjectAltName", ())
    found = [identity for kind, value in names if kind == "URI" and (identity := parse_identity(value))]
    return found[0] if len(found) == 1 else None


def identity_in(certificate_pem: bytes) -> Identity:
    """Whose certificate that is. Raises `Invalid` for one that no authority of an array made."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound) as error:
        raise Invalid(f"The certificate cannot be read: {error}.") from error
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    found = [identity for uri in uris if (identity := parse_identity(uri))]
    if len(found) != 1:
        raise Invalid("The certificate names no node of an array.")
    return found[0]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The files of ``tls/``. Keys are 0600. The key of the authority is only on nodes that may lead."""

    root: Path

    @property
    def ca(self) -> Path:
        return self.root / "ca.pem"

    @property
    def ca_key(self) -> Path:
        return self.root / "ca.key"

    @property
    def node(self) -> Path:
        return self.root / "node.pem"

    @property
    def node_key(self) -> Path:
        return self.root / "node.key"


class Authority:
    """The array's certificate authority as this node has it: always the certificate, perhaps the key."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey | None = None) -> None:
        self.certificate = certificate
        self._key = key

    @classmethod
    def create(cls, array: str, now: datetime) -> Authority:
        """A new authority (P-256, 20 years) for an array of that name."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"fa array {array}")])
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = _builder(name, name, key.public_key(), key.public_key(), now, CA_LIFE)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        return cls(builder.add_extension(usage, critical=True).sign(key, hashes.SHA256()), key)

    @classmethod
    def load(cls, files: TlsFiles) -> Authority:
        """Raises `NotFound` without ``ca.pem``, `Invalid` when a file is not what it should be."""
        key = None
        try:
            certificate = x509.load_pem_x509_certificate(files.ca.read_bytes())
            if files.ca_key.exists():
                key = _private_key(files.ca_key.read_bytes())
        except FileNotFoundError:
            raise NotFound(f"The array's certificate is missing: {files.ca}.", hint="Join the array anew.") from None
        except (ValueError, TypeError) as error:
            raise Invalid(f"{files.root} holds a certificate or key that cannot be read: {error}.") from error
        return cls(certificate, key)

    def save(self, files: TlsFiles) -> None:
        files.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_file(files.ca, self.pem, 0o644)
        if self._key is not None:
            write_file(files.ca_key, self.key_pem, 0o600)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key, for another node that may lead. Raises `NotFound` where this node has none."""
        return _key_pem(self._signing_key())

    @property
    def can_sign(self) -> bool:
        return self._key is not None

    @property
    def fingerprint(self) -> bytes:
        return fingerprint(self.certificate)

    def issue(self, request_pem: bytes, identity: Identity, hosts: tuple[str, ...], now: datetime) -> bytes:
        """A node's certificate (PEM) for the key in ``request_pem``; ``hosts`` are names and addresses for curl.

        The request proves only that who sent it holds the key: the name in it is not looked at, the caller says who
        it is. Raises `Invalid` for a request that is none, `NotFound` without the key of the authority."""
        request = read_request(request_pem)
        if parse_identity(identity.uri) is None:
            raise Invalid(f"{identity.node!r} cannot be the name of a node.")
        return self._sign(request, identity, hosts, now).public_bytes(serialization.Encoding.PEM)

    def _sign(
        self, request: x509.CertificateSigningRequest, identity: Identity, hosts: tuple[str, ...], now: datetime
    ) -> x509.Certificate:
        key, public = self._signing_key(), request.public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey), "issue() looked"
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, identity.node)])
        builder = _builder(name, self.certificate.subject, public, key.public_key(), now, NODE_LIFE)
        inside = host_of(identity.array_id, identity.node)
        names = [x509.UniformResourceIdentifier(identity.uri), *names_of((inside, *hosts))]
        both_ways = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(both_ways), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        return builder.add_extension(usage, critical=True).sign(key, hashes.SHA256())

    def _signing_key(self) -> ec.EllipticCurvePrivateKey:
        if self._key is None:
            raise NotFound("This node does not hold the key of the array's authority.", hint="Ask the coordinator.")
        return self._key


def fingerprint(certificate: x509.Certificate) -> bytes:
    """SHA-256 over the public key (SPKI), 32 bytes: what a join token pins."""
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return sha256(certificate.public_key().public_bytes(serialization.Encoding.DER, spki)).digest()


def check_pin(ca_pem: bytes, pin: bytes) -> None:
    """Raises `Unauthorized` unless ``ca_pem`` is the authority whose :func:`fingerprint` is ``pin``."""
    try:
        certificate = x509.load_pem_x509_certificate(ca_pem)
    except ValueError:
        raise Unauthorized("What answered did not show the certificate of an array.") from None
    if fingerprint(certificate) != pin:
        why = "The array that answered is not the one that made the token."
        raise Unauthorized(why, hint="Check the address; if it is right, somebody listens in between.")


def read_request(request_pem: bytes) -> x509.CertificateSigningRequest:
    """Raises `Invalid` for a certificate request that none can be made of."""
    try:
        request = x509.load_pem_x509_csr(request_pem)
        valid = request.is_signature_valid and isinstance(request.public_key(), ec.EllipticCurvePublicKey)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Invalid(f"The certificate request cannot be read: {error}.") from error
    if not valid:
        raise Invalid("The certificate request is not signed by its own P-256 key.")
    return request


def names_of(hosts: Iterable[str]) -> list[x509.GeneralName]:
    """Names and addresses as a certificate holds them. Raises `Invalid`."""
    try:
        return [_general_name(host) for host in hosts]
    except ValueError:
        raise Invalid("A name of the node is none that a certificate can hold.", hint="Use letters of ASCII.") from None


def make_request(files: TlsFiles) -> bytes:
    """A certificate request (PEM) for this node's key, which is made first when there is none."""
    files.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not files.node_key.exists():
        write_file(files.node_key, _key_pem(ec.generate_private_key(ec.SECP256R1())), 0o600)
    key = _private_key(files.node_key.read_bytes())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "node")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def check_renewed(files: TlsFiles, certificate_pem: bytes) -> None:
    """Raises `Invalid` unless that can take the place of ``node.pem``: by the array's authority, for the same node in
    the same life, for this node's key. With any other this node would talk to nobody, and not start again."""
    if identity_in(certificate_pem) != identity_in(files.node.read_bytes()):
        raise Invalid("The new certificate is for another node.")
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    if certificate.public_key() != _private_key(files.node_key.read_bytes()).public_key():
        raise Invalid("The new certificate is for another key.")
    try:
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(files.ca.read_bytes()))
    except (ValueError, TypeError, InvalidSignature):
        raise Invalid("The new certificate is not by the authority of this array.") from None


def renewal_due(certificate_pem: bytes, now: datetime) -> bool:
    """Past two thirds of its life (or not begun): time for a new one."""
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return not begin <= now < begin + (end - begin) * 2 / 3


def date_trouble(certificate_pem: bytes, now: datetime) -> str:
    """A sentence when the dates of a certificate do not fit the clock, with :data:`SKEW` of tolerance; else ""."""
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begin - SKEW:
        return f"The certificate begins {begin:%Y-%m-%d}: the clock of this node or of its maker is wrong."
    if now > end + SKEW:
        return f"The certificate ended {end:%Y-%m-%d}: it was not renewed, or the clock is wrong."
    return ""


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """For the listener: TLS 1.3, this node's certificate; a client may show one of this array (nodes do)."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, files)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def peer_context(files: TlsFiles) -> ssl.SSLContext:
    """For connecting to another node: TLS 1.3, both sides show a certificate of this array.

    Say whom you mean by ``server_hostname=host_of(array_id, node)``; nobody else gets through the handshake."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, files)
    context.verify_mode = ssl.CERT_REQUIRED
    context.check_hostname = True
    return context


def _context(protocol: int, files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.load_verify_locations(files.ca)
    context.load_cert_chain(files.node, files.node_key)
    context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    return context


def write_file(path: Path, content: bytes, mode: int) -> None:
    """Write a file whole or not at all, with that mode from its first moment on."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    issuer_public: ec.EllipticCurvePublicKey,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - SKEW).not_valid_after(now + life)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_public)
    return builder.add_extension(signer, critical=False)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return x509.DNSName(host)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _private_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("it is not a P-256 key")
    return key
