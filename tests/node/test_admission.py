from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from cryptography import x509

from fa.core import commands as c
from fa.core.model import NodeRow, Token
from fa.core.position import EMPTY
from fa.errors import Conflict, Invalid, NotFound, Unauthorized
from fa.node.admission import Applicant, renew
from fa.node.adoption import Shown
from fa.node.authority import Authority, Identity, TlsFiles, identity_in, make_request
from fa.node.gateway import Done
from fa.node.settings import Array, Node, Settings
from fa.node.tokens import make_join_token, read_join_token
from fa.node.window import REFUSALS_TOLD, Window
from fa.node.wire import RosterEntry

SETTINGS = Settings(
    Array("news", "0f3a9c11-0000", vip="10.0.0.9/24@eth0"), Node("a", "127.0.0.1:7001"), {"san": "/mnt/san"}
)


class Office(Window):
    """The window of a coordinator over a store that takes its time."""

    async def ask(self, command: c.Command) -> Done:
        await asyncio.sleep(0)
        rows: Any = self.store
        if isinstance(command, c.PutNode):
            rows.rows.append(command.node)
            rows.awaited[f"awaited/{command.node.name}"] = "1" if command.awaited else ""
        elif isinstance(command, c.UseToken):
            rows.burned += 1
        return Done(None, EMPTY, "solo")

    def volumes(self) -> list[Any]:
        return [SimpleNamespace(name="nas", node="b")]

    def roster(self) -> tuple[RosterEntry, ...]:
        return tuple(RosterEntry(row.name, row.address, row.kind, row.index) for row in self.store.rows)  # type: ignore[union-attr]


class Rows:
    def __init__(self) -> None:
        self.rows: list[NodeRow] = []
        self.tokens: dict[str, Token] = {}
        self.awaited: dict[str, str] = {}
        self.burned = 0

    async def token(self, token: str) -> Token | None:
        return self.tokens.get(token)

    async def facts(self) -> dict[str, str]:
        return self.awaited

    async def nodes(self) -> list[NodeRow]:
        found = list(self.rows)
        await asyncio.sleep(0)
        return found


@pytest.fixture
def office() -> Office:
    nothing: Any = None
    array: Any = SimpleNamespace(status=lambda: SimpleNamespace(voters=("a",)))
    requests: Any = SimpleNamespace(wished=[], wish=lambda make: requests.wished.append(make(1)))
    machine: Any = SimpleNamespace(array=array)
    clock: Any = SimpleNamespace(wall=lambda: 5, mono=lambda: 5.0)
    authority = Authority.create("news", datetime.now(UTC))
    store: Any = Rows()
    return Office(
        SETTINGS, machine, *[nothing] * 3, clock, *[nothing] * 2, authority, nothing, requests, nothing, store
    )


def request(folder: Path) -> str:
    return make_request(TlsFiles(folder)).decode()


def token_of(office: Office, uses: int = 9) -> str:
    text, token = make_join_token(SETTINGS.array.id, office.authority.fingerprint, 1, expires_at=None, uses=uses)
    store: Any = office.store
    store.tokens[token.id] = token
    return text


def applicant_of(office: Office, folder: Path, node: str, incarnation: str = "00ff00ff", **volumes: Shown) -> Applicant:
    listen = f"10.0.0.{ord(node)}:7001"
    return Applicant(token_of(office), node, listen, incarnation, request(folder / node), volumes=volumes)


async def test_two_that_join_at_once_never_share_an_index(office: Office, tmp_path: Path) -> None:
    """Epochs are a node's own by its index; two nodes with one index could lead in the same epoch (SAFETY.md R4)."""
    token = token_of(office)
    applicants = [
        Applicant(token, name, f"10.0.0.{n}:7001", f"{n:08x}", request(tmp_path / name))
        for n, name in enumerate("bcde")
    ]
    admitted = await asyncio.gather(*(office.admit(applicant) for applicant in applicants))
    assert sorted(each.index for each in admitted) == [1, 2, 3, 4]


async def test_who_is_let_in_gets_no_vote_before_it_comes(office: Office, tmp_path: Path) -> None:
    await office.admit(applicant_of(office, tmp_path, "c"))
    wished: Any = office.requests
    assert [(event.member.node, event.votes) for event in wished.wished] == [("c", False)]


async def test_a_name_under_which_nobody_came_is_joined_again(office: Office, tmp_path: Path) -> None:
    """The answer was lost, or the server: it is another member all the same."""
    store: Any = office.store
    indices = [
        (await office.admit(applicant_of(office, tmp_path, "c", each))).index for each in ("00aa00aa", "00bb00bb")
    ]
    assert indices == [1, 2]
    assert [row.incarnation for row in store.rows] == ["00aa00aa", "00bb00bb"], "the first certificate is worth nothing"
    store.awaited.clear()
    with pytest.raises(Conflict, match="a node c in this array already"):
        await office.admit(applicant_of(office, tmp_path, "c", "00cc00cc"))
    assert store.burned == 2


MINE = Shown("/mnt/nas", SETTINGS.array.id, "nas")


@pytest.mark.parametrize("name", ["nas", "san"])
async def test_a_volume_that_the_array_has_is_shown_before_the_token_is_burned(
    office: Office, tmp_path: Path, name: str
) -> None:
    """By the coordinator's own settings, or by what another node offers."""
    store: Any = office.store
    for shown, said in ((Shown("/mnt/x"), "is it mounted"), (Shown("/mnt/x", "z", name), "of another array")):
        with pytest.raises(Invalid, match=said):
            await office.admit(applicant_of(office, tmp_path, "c", **{name: shown}))
    with pytest.raises(Invalid, match="name of a volume"):
        await office.admit(applicant_of(office, tmp_path, "c", **{"../x": MINE}))
    assert (store.rows, store.burned, office.requests.wished) == ([], 0, [])  # type: ignore[attr-defined]
    await office.admit(applicant_of(office, tmp_path, "c", nas=MINE, new=Shown("/mnt/new")))
    assert store.burned == 1


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("request", "no request", "certificate request"), ("listen", "schnittraum-süd:7001", "letters of ASCII")],
)
async def test_what_no_certificate_can_be_made_of_burns_no_token_and_makes_no_member(
    office: Office, tmp_path: Path, field: str, value: str, said: str
) -> None:
    store: Any = office.store
    wrong = msgspec.structs.replace(applicant_of(office, tmp_path, "c"), **{field: value})
    with pytest.raises(Invalid, match=said):
        await office.admit(wrong)
    assert (store.rows, store.burned) == ([], 0)


async def test_a_new_volume_is_adopted_by_the_first_that_shows_it(office: Office, tmp_path: Path) -> None:
    """Two servers join before either is started, and on the second the share is not mounted."""
    await office.admit(applicant_of(office, tmp_path, "c", new=Shown("/mnt/new")))
    with pytest.raises(Invalid, match="is it mounted"):
        await office.admit(applicant_of(office, tmp_path, "d", new=Shown("/mnt/new")))
    await office.admit(applicant_of(office, tmp_path, "c", new=Shown("/mnt/new")))


async def test_who_has_no_token_is_told_nothing(office: Office, tmp_path: Path) -> None:
    stranger = applicant_of(office, tmp_path, "c", nas=Shown("/mnt/nas"))
    store: Any = office.store
    store.tokens.clear()
    with pytest.raises(Unauthorized, match="wrong, used or expired"):
        await office.admit(stranger)


async def test_a_flood_of_wrong_tokens_is_told_a_few_times_a_minute(office: Office, tmp_path: Path) -> None:
    """Each with another name, so that none is a repetition: thousands of alerts kept the true ones back, for who had no
    token at all."""
    clock, store, told = SimpleNamespace(wall=lambda: 5, mono=lambda: 5.0), office.store, list[str]()
    office.clock, office.happened = clock, lambda kind, text: told.append(text)  # type: ignore[assignment]
    stranger = applicant_of(office, tmp_path, "c")
    right = msgspec.structs.replace(stranger, token=token_of(office))
    store.tokens.pop(read_join_token(stranger.token).id)  # type: ignore[union-attr]
    for number in range(50):
        with pytest.raises(Unauthorized):
            await office.admit(msgspec.structs.replace(stranger, node=f"c{number}"))
    assert len(told) == REFUSALS_TOLD
    assert (await office.admit(right)).index == 1, "who has a good token is let in all the same"
    clock.mono = lambda: 65.0
    with pytest.raises(Unauthorized):
        await office.admit(stranger)
    assert len(told) == REFUSALS_TOLD + 1


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
