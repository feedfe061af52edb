"""`fa join` and `fa witness`: become a node of an array that runs.

The joiner trusts nothing but its token: it asks whoever answers for the array's certificate, compares the SHA-256 of
its key with the one in the token, and sends the token only over a connection that this certificate vouches for (as
kubeadm and Docker Swarm do; SECURITY.md 4.1)."""

from __future__ import annotations

import http.client
import secrets
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from fa.core.trust import Mark
from fa.errors import Conflict, FaError, Invalid, Unavailable
from fa.node.admission import Admitted, Applicant, Certificate
from fa.node.adoption import adopt_volumes, look_at
from fa.node.authority import TlsFiles, check_pin, make_request, write_file
from fa.node.identity import Identity, VoteFiles
from fa.node.roster import RosterFile
from fa.node.settings import Array, Node, Settings, StateDir, check, save
from fa.node.tokens import read_join_token

TIMEOUT = 30.0  # seconds; the array may be electing


class Refused(FaError):
    """The array did not take this server."""

    code = "join-refused"


def join(
    place: StateDir,
    *,
    address: str,
    token: str,
    node: str,
    listen: str,
    volumes: Mapping[str, str],
    slots: Mapping[str, int] | None = None,
    kind: str = "data",
) -> Settings:
    """Make the state directory of a new node. Raises `Conflict` where there is one, `Invalid` for a volume or setting,
    `Unauthorized` for the token, `Unavailable` when nobody answers, `Refused`; then this server is no node, and nothing
    is left behind but a key in empty folders. All that this server can tell is wrong is refused before it asks."""
    if place.settings.exists():
        raise Conflict(f"There is a node in {place.root} already.", hint="Choose another --dir, or run `fa run`.")
    shown = read_join_token(token)
    mine = Node(node, listen, kind=kind, slots=dict(slots or {}))
    check(Settings(Array("array", ""), mine, volumes=dict(volumes)), "the options")
    found = look_at(volumes)
    place.make()
    files = TlsFiles(place.tls)
    incarnation = secrets.token_hex(8)
    applicant = Applicant(token.strip(), node, listen, incarnation, make_request(files).decode(), kind, found)
    admitted = _apply(address, shown.pin, applicant)
    settings = Settings(_array(admitted), msgspec.structs.replace(mine, index=admitted.index), volumes=dict(volumes))
    adopt_volumes(admitted.array_id, volumes)
    _keep_papers(files, admitted)
    RosterFile(place.roster).save({entry.name: entry for entry in admitted.roster})
    VoteFiles(place.votes).save_identity(Identity(incarnation, 0, Mark.OK))
    save(place, settings)
    return settings


def _array(admitted: Admitted) -> Array:
    return Array(
        admitted.array, admitted.array_id, vip=admitted.vip, mirrors=admitted.mirrors, min_insync=admitted.min_insync
    )


def _keep_papers(files: TlsFiles, admitted: Admitted) -> None:
    write_file(files.ca, admitted.ca.encode(), 0o644)
    if admitted.ca_key:
        write_file(files.ca_key, admitted.ca_key.encode(), 0o600)
    write_file(files.node, admitted.certificate.encode(), 0o644)


def _apply(address: str, pin: bytes, applicant: Applicant) -> Admitted:
    where = urlsplit(address if "://" in address else f"https://{address}")
    if where.scheme != "https" or not where.hostname or not where.port:
        raise Invalid(f"{address!r} is not the address of a node.", hint="Write https://host:port.")
    host, port = where.hostname, where.port
    try:
        _, answer = _exchange(host, port, _context(), "GET", "/v1/ca")
        ca = msgspec.json.decode(answer, type=Certificate).ca
        check_pin(ca.encode(), pin)
        return _read(*_exchange(host, port, _context(ca), "POST", "/v1/join", msgspec.json.encode(applicant)))
    except (OSError, http.client.HTTPException, msgspec.MsgspecError) as error:
        raise Unavailable(f"No node answers at {address}: {error}.", hint="Is `fa run` running there?") from error


def _context(ca: str = "") -> ssl.SSLContext:
    """Without `ca` nobody is believed, and nothing secret may be said. Not host names but certificates count."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED if ca else ssl.CERT_NONE
    if ca:
        context.load_verify_locations(cadata=ca)
    return context


def _exchange(
    host: str, port: int, context: ssl.SSLContext, method: str, path: str, body: bytes = b""
) -> tuple[int, bytes]:
    connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)
    try:
        connection.request(method, path, body or None, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _read(status: int, body: bytes) -> Admitted:
    if status == 201:
        return msgspec.json.decode(body, type=Admitted)
    problem = msgspec.json.decode(body)
    raise Refused(f"The array did not take this server: {problem.get('detail', status)}")
