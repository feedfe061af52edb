import ssl
import stat
from datetime import UTC, datetime, timedelta

import pytest

from fa.errors import Invalid, NotFound, Unauthorized
from fa.node.authority import (
    Authority,
    Identity,
    TlsFiles,
    check_pin,
    date_trouble,
    host_of,
    identity_of,
    make_request,
    parse_identity,
    peer_context,
    renewal_due,
    server_context,
    write_file,
)

NOW = datetime(2026, 5, 1, tzinfo=UTC)
HOSTS = ("127.0.0.1", "localhost", "::1")


def node(root, authority, name="a", now=NOW, array_id="arr-1"):
    files = TlsFiles(root)
    certificate = authority.issue(make_request(files), Identity(array_id, name, "i1"), HOSTS, now)
    write_file(files.node, certificate, 0o644)
    write_file(files.ca, authority.pem, 0o644)
    return files


def handshake(server, client, meant="a"):
    """Both ends of a TLS connection in memory: what the server, then the client, sees of the other's certificate."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [server.wrap_bio(up, down, server_side=True), client.wrap_bio(down, up, False, host_of("arr-1", meant))]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return [end.getpeercert() for end in ends]


def test_peers_know_each_other(tmp_path):
    authority = Authority.create("news", NOW)
    a, b = node(tmp_path / "a", authority, "a"), node(tmp_path / "b", authority, "b")
    seen_by_a, seen_by_b = handshake(server_context(a), peer_context(b))
    assert identity_of(seen_by_a) == Identity("arr-1", "b", "i1")
    assert identity_of(seen_by_b) == Identity("arr-1", "a", "i1")


def test_a_client_without_a_certificate_is_nobody(tmp_path):
    authority = Authority.create("news", NOW)
    context = ssl.create_default_context(cadata=authority.pem.decode())
    context.check_hostname = False
    seen_by_a, _ = handshake(server_context(node(tmp_path, authority)), context)
    assert identity_of(seen_by_a) is None


@pytest.mark.parametrize("now", [NOW - timedelta(days=20_000), NOW + timedelta(days=20_000)])
def test_wrong_clocks_do_not_part_the_array(tmp_path, now):
    authority = Authority.create("news", now)
    a, b = node(tmp_path / "a", authority, now=now), node(tmp_path / "b", authority, "b", now=now)
    assert identity_of(handshake(server_context(a), peer_context(b))[0]) == Identity("arr-1", "b", "i1")


def test_another_array_is_refused(tmp_path):
    a = node(tmp_path / "a", Authority.create("news", NOW))
    b = node(tmp_path / "b", Authority.create("news", NOW))
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server_context(a), peer_context(b))


def test_another_node_than_the_one_that_was_meant_is_refused(tmp_path):
    authority = Authority.create("news", NOW)
    a, b = node(tmp_path / "a", authority, "a"), node(tmp_path / "b", authority, "b")
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(server_context(a), peer_context(b), meant="c")


def test_less_than_tls_1_3_is_refused(tmp_path):
    files = node(tmp_path, Authority.create("news", NOW))
    old = peer_context(files)
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        handshake(server_context(files), old)


def test_keys_are_for_the_owner_only(tmp_path):
    authority = Authority.create("news", NOW)
    files = node(tmp_path / "tls", authority)
    authority.save(files)
    assert [stat.S_IMODE(p.stat().st_mode) for p in (files.ca_key, files.node_key)] == [0o600, 0o600]
    assert stat.S_IMODE(files.root.stat().st_mode) == 0o700


def test_the_authority_is_loaded_with_and_without_its_key(tmp_path):
    authority, files = Authority.create("news", NOW), TlsFiles(tmp_path)
    authority.save(files)
    loaded = Authority.load(files)
    assert loaded.fingerprint == authority.fingerprint
    assert loaded.can_sign and loaded.key_pem == authority.key_pem
    files.ca_key.unlink()
    bare = Authority.load(files)
    assert not bare.can_sign
    with pytest.raises(NotFound, match="coordinator"):
        bare.issue(make_request(files), Identity("x", "b", "i"), (), NOW)


def test_what_is_no_certificate_is_said(tmp_path):
    with pytest.raises(NotFound, match="missing"):
        Authority.load(TlsFiles(tmp_path))
    (tmp_path / "ca.pem").write_text("hello")
    with pytest.raises(Invalid, match="cannot be read"):
        Authority.load(TlsFiles(tmp_path))


@pytest.mark.parametrize("request_pem", [b"", b"hello", b"\xff" * 100])
def test_a_request_that_is_none(request_pem):
    with pytest.raises(Invalid, match="certificate request"):
        Authority.create("news", NOW).issue(request_pem, Identity("x", "b", "i"), (), NOW)


@pytest.mark.parametrize("name", ["", "a/b", "../a", "a\n", "a" * 64, "é"])
def test_a_name_that_cannot_be_certified(tmp_path, name):
    with pytest.raises(Invalid, match="name of a node"):
        Authority.create("news", NOW).issue(make_request(TlsFiles(tmp_path)), Identity("x", name, "i"), (), NOW)


def test_the_pin_of_a_token_tells_arrays_apart():
    authority = Authority.create("news", NOW)
    check_pin(authority.pem, authority.fingerprint)
    with pytest.raises(Unauthorized, match="not the one that made the token"):
        check_pin(Authority.create("news", NOW).pem, authority.fingerprint)
    with pytest.raises(Unauthorized, match="did not show"):
        check_pin(b"<html>", authority.fingerprint)


def test_renewal_and_trouble_with_dates(tmp_path):
    certificate = node(tmp_path, Authority.create("news", NOW)).node.read_bytes()
    assert not renewal_due(certificate, NOW)
    assert renewal_due(certificate, NOW + timedelta(days=250))
    assert date_trouble(certificate, NOW) == ""
    assert date_trouble(certificate, NOW - timedelta(hours=40)) == ""
    assert "clock" in date_trouble(certificate, NOW - timedelta(days=3))
    assert "ended" in date_trouble(certificate, NOW + timedelta(days=400))


@pytest.mark.parametrize(
    "uri", ["", "fa://x/node/a", "http://x/node/a/i", "fa://x/node/../i", "fa://x/node/a/i/j", "fa://x/node/a/i\n"]
)
def test_what_is_no_identity(uri):
    assert parse_identity(uri) is None


def test_two_identities_are_none():
    both = (("URI", "fa://x/node/a/i"), ("URI", "fa://x/node/b/i"))
    assert identity_of({"subjectAltName": both}) is None
    assert identity_of({"subjectAltName": both[:1]}) == Identity("x", "a", "i")
