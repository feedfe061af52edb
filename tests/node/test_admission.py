from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509

from fa.core import commands as c
from fa.core.model import NodeRow
from fa.core.position import EMPTY
from fa.errors import Invalid, NotFound
from fa.node.admission import Applicant, renew
from fa.node.authority import Authority, Identity, TlsFiles, identity_in, make_request
from fa.node.gateway import Done
from fa.node.settings import Array, Node, Settings
from fa.node.tokens import make_join_token
from fa.node.window import Window
from fa.node.wire import RosterEntry

SETTINGS = Settings(Array("news", "0f3a9c11-0000", vip="10.0.0.9/24@eth0"), Node("a", "127.0.0.1:7001"))


class Office(Window):
    """The window of a coordinator over a store that takes its time."""

    async def ask(self, command: c.Command) -> Done:
        await asyncio.sleep(0)
        if isinstance(command, c.PutNode):
            self.store.rows.append(command.node)  # type: ignore[union-attr]
        return Done(None, EMPTY, "solo")

    def roster(self) -> tuple[RosterEntry, ...]:
        return tuple(RosterEntry(row.name, row.address, row.kind, row.index) for row in self.store.rows)  # type: ignore[union-attr]


class Rows:
    def __init__(self) -> None:
        self.rows: list[NodeRow] = []

    async def nodes(self) -> list[NodeRow]:
        found = list(self.rows)
        await asyncio.sleep(0)
        return found


@pytest.fixture
def office() -> Office:
    nothing: Any = None
    array: Any = SimpleNamespace(status=lambda: SimpleNamespace(voters=("a",)))
    requests: Any = SimpleNamespace(wish=lambda make: None)
    machine: Any = SimpleNamespace(array=array)
    clock: Any = SimpleNamespace(wall=lambda: 5)
    authority = Authority.create("news", datetime.now(UTC))
    store: Any = Rows()
    return Office(SETTINGS, machine, *[nothing] * 3, clock, *[nothing] * 2, authority, nothing, requests, store)


def request(folder: Path) -> str:
    return make_request(TlsFiles(folder)).decode()


async def test_two_that_join_at_once_never_share_an_index(office: Office, tmp_path: Path) -> None:
    """Epochs are a node's own by its index; two nodes with one index could lead in the same epoch (SAFETY.md R4)."""
    token, _ = make_join_token(SETTINGS.array.id, office.authority.fingerprint, 1, expires_at=None, uses=9, label="")
    applicants = [
        Applicant(token, name, f"10.0.0.{n}:7001", f"{n:08x}", request(tmp_path / name))
        for n, name in enumerate("bcde")
    ]
    admitted = await asyncio.gather(*(office.admit(applicant) for applicant in applicants))
    assert sorted(each.index for each in admitted) == [1, 2, 3, 4]


async def test_a_member_gets_a_new_certificate_for_itself(office: Office, tmp_path: Path) -> None:
    identity = Identity(SETTINGS.array.id, "b", "00ff")
    office.store.rows.append(NodeRow("b", c.NodeMode.UP, "https://10.0.0.2:7001", 1))  # type: ignore[union-attr]
    certificate = renew(office, office.authority, identity, request(tmp_path)).encode()
    assert identity_in(certificate) == identity
    names = x509.load_pem_x509_certificate(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    addresses = {str(address) for address in names.value.get_values_for_type(x509.IPAddress)}
    assert {"10.0.0.2", "10.0.0.9", "127.0.0.1"} <= addresses, "where it listens, and the virtual address"


async def test_who_is_no_member_gets_none(office: Office, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        renew(office, office.authority, Identity(SETTINGS.array.id, "b", "00ff"), request(tmp_path))
    office.store.rows.append(NodeRow("b", c.NodeMode.UP, "https://10.0.0.2:7001", 1))  # type: ignore[union-attr]
    with pytest.raises(Invalid):
        renew(office, office.authority, Identity(SETTINGS.array.id, "b", "00ff"), "no request")


@pytest.mark.parametrize("pem", [b"", b"nonsense"])
def test_what_is_no_certificate_names_nobody(pem: bytes) -> None:
    with pytest.raises(Invalid):
        identity_in(pem)


def test_the_authority_itself_is_no_node(office: Office) -> None:
    with pytest.raises(Invalid):
        identity_in(office.authority.pem)
