"""Which array is meant: flags, then environment, then the default."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from fa.client.target import resolve, short_path
from fa.errors import Invalid, Unauthorized


def test_the_default_is_the_state_directory_of_the_package() -> None:
    assert resolve({}).socket == "/var/lib/fa/fa.sock"


def test_flags_win_over_the_environment() -> None:
    env = {"FA_ADDR": "https://tx01:7001", "FA_DIR": "/srv/env"}
    assert resolve({"FA_DIR": "/srv/env"}).socket == "/srv/env/fa.sock"
    assert resolve(env).urls == ("https://tx01:7001",)
    assert resolve(env, dir="/srv/flag").socket == "/srv/flag/fa.sock"
    assert resolve(env, addr="tx02:7001, https://[::1]:7002/").urls == ("https://tx02:7001", "https://[::1]:7002")


@pytest.mark.parametrize("addr", ["http://tx01:7001", "https://", "tx01", "https://tx01:99999", "tx01:7001/v1", ","])
def test_addresses_that_cannot_be(addr: str) -> None:
    with pytest.raises(Invalid, match="HOST:PORT"):
        resolve({}, addr=addr)


def test_the_token_is_read_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("fa_secret\n")
    target = resolve({"FA_TOKEN_FILE": str(tmp_path / "token")}, addr="tx01:7001")
    assert target.token == "fa_secret"
    assert "secret" not in repr(target)


@pytest.mark.parametrize("content", [b"", b"two words", b"\xff\xfe"])
def test_a_token_file_that_holds_no_token(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(Unauthorized, match="token"):
        resolve({}, addr="tx01:7001", token_file=str(tmp_path / "token"))


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(Unauthorized, match="nowhere"):
        resolve({}, addr="tx01:7001", token_file=str(tmp_path / "nowhere"))
    with pytest.raises(Invalid, match="nowhere"):
        resolve({}, addr="tx01:7001", cacert=str(tmp_path / "nowhere"))


def test_a_socket_in_a_deep_directory_can_be_reached(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / "fa.sock"
    deep.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as server, short_path(str(deep)) as short:
        server.bind(short)
        server.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(short)
    assert deep.exists()
