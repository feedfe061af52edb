"""How a server becomes a node (SECURITY.md 4.1): it shows a one-use token and gets a certificate; the coordinator
writes it into the list of nodes. A vote and, where one is wanted, a copy it gets when it comes (`fa.node.membership`):
a server that was let in and never came would be a vote that is never cast."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from fa.core.commands import Command, PutNode, UseToken
from fa.core.ledger_setup import awaited, token_refused
from fa.core.model import NodeMode, NodeRow
from fa.core.view import EPOCH_STRIDE
from fa.errors import Conflict, Invalid, NotFound
from fa.node.adoption import Shown, check_shown
from fa.node.authority import Authority, Identity, names_of, read_request
from fa.node.gateway import Done
from fa.node.settings import NAME, Settings
from fa.node.tokens import Presented, digest, proves, read_join_token
from fa.node.vip_guardian import VirtualAddress
from fa.node.wire import RosterEntry
from fa.store.readers import Readers


class Office(Protocol):
    """What admitting needs of the coordinator: `fa.node.window.Window`."""

    @property
    def settings(self) -> Settings: ...
    @property
    def readers(self) -> Readers: ...
    async def ask(self, command: Command) -> Done: ...
    def roster(self) -> Sequence[RosterEntry]: ...
    def volumes_besides(self, node: str) -> Collection[str]: ...


_LISTEN = re.compile(r"\S{1,253}:\d{1,5}\Z")


class Applicant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who wants to join. `request`: certificate request (PEM); `kind`: data or witness; `incarnation` of its disk;
    `volumes`: what lies where it has mounted them."""

    token: str
    node: str
    listen: str
    incarnation: str
    request: str
    kind: str = "data"
    volumes: dict[str, Shown] = {}


class Certificate(msgspec.Struct, frozen=True):
    """The array's own certificate (PEM). Public; who joins compares it with the pin in its token."""

    ca: str


class Admitted(msgspec.Struct, frozen=True):
    """What a new node needs to be one. `ca_key` only for nodes that may lead."""

    array: str
    array_id: str
    index: int
    ca: str
    ca_key: str
    certificate: str
    roster: list[RosterEntry]
    mirrors: int
    min_insync: int
    vip: str


def check(applicant: Applicant) -> None:
    """Raises `Invalid`; nothing was burned then."""
    if not re.match(NAME, applicant.node):
        raise Invalid(f"{applicant.node[:80]!r} cannot be the name of a node.", hint="Use letters, digits, . _ and -.")
    if not _LISTEN.match(applicant.listen):
        raise Invalid(f"{applicant.listen[:80]!r} is not an address.", hint="Write host:port.")
    if applicant.kind not in ("data", "witness"):
        raise Invalid(f"{applicant.kind[:80]!r} is not a kind of node: it is data or witness.")
    if not re.fullmatch(r"[0-9a-f]{8,64}", applicant.incarnation):
        raise Invalid("The incarnation of the node is not hexadecimal.")
    for name in applicant.volumes:
        if not re.match(NAME, name):
            raise Invalid(f"{name[:80]!r} cannot be the name of a volume.", hint="Use letters, digits, . _ and -.")


async def admit(window: Office, authority: Authority, applicant: Applicant, now: int) -> Admitted:
    """Make the applicant a member. Raises `Unauthorized` for its token, `Conflict` for a name that is taken, `Invalid`
    for a volume that is not this array's, or what no certificate can be made of; nothing was burned then.

    A row is written before the certificate is given away: a crash in between leaves a member that never comes, and
    never a certificate that nobody knows of. As long as nobody came, the name may be joined again; that is another
    member all the same, with an incarnation and an index of its own (SAFETY.md R4, R8)."""
    check(applicant)
    shown = read_join_token(applicant.token)
    await _check_token(window, shown, now)
    rows = await window.readers.nodes()
    await _check_name(window, applicant.node, rows)
    check_shown(window.settings.array.id, window.volumes_besides(applicant.node), applicant.volumes)
    _check_papers(window, applicant)
    await window.ask(UseToken(shown.id, digest(shown.secret), now))
    index = 1 + max((row.index for row in rows), default=0)
    assert index < EPOCH_STRIDE, "an array has fewer nodes in all its life than an epoch has room for"
    address = f"https://{applicant.listen}"
    life = applicant.incarnation
    row = NodeRow(applicant.node, NodeMode.UP, address, now, index=index, kind=applicant.kind, incarnation=life)
    await window.ask(PutNode(row, now, f"token:{shown.id}", awaited=True))
    return _papers(window, authority, applicant, index)


async def _check_token(window: Office, shown: Presented, now: int) -> None:
    """Before anything is told to who shows it; it is burned when all else is right."""
    token = await window.readers.token(shown.id)
    if token is None or not proves(token, shown.secret, now):
        raise token_refused()


async def _check_name(window: Office, node: str, rows: Sequence[NodeRow]) -> None:
    taken = any(row.name == node and row.removed_at is None for row in rows)
    if taken and not (await window.readers.facts()).get(awaited(node)):
        hint = f"Choose another name, or first `fa node remove {node}`."
        raise Conflict(f"There is a node {node} in this array already.", hint=hint)


def _check_papers(window: Office, applicant: Applicant) -> None:
    """Of who has shown a good token only: signatures cost time."""
    read_request(applicant.request.encode("utf-8", "replace"))
    names_of(_hosts(applicant.listen, applicant.node, window.settings.array.vip))


def renew(window: Office, authority: Authority, identity: Identity, request: str) -> str:
    """A new certificate (PEM) for a member, who proved with the old one who it is. Raises `NotFound` for who is none,
    `Invalid` for a request that cannot be read."""
    entry = next((entry for entry in window.roster() if entry.name == identity.node), None)
    if entry is None:
        raise NotFound(f"There is no node {identity.node} in this array.")
    hosts = _hosts(entry.address.removeprefix("https://"), identity.node, window.settings.array.vip)
    return authority.issue(request.encode(), identity, hosts, datetime.now(UTC)).decode()


def _hosts(listen: str, node: str, vip: str) -> tuple[str, ...]:
    virtual = [VirtualAddress.parse(vip).address] if vip else []
    return tuple(dict.fromkeys([listen.rpartition(":")[0].strip("[]"), node, "localhost", "127.0.0.1", *virtual]))


def _papers(window: Office, authority: Authority, applicant: Applicant, index: int) -> Admitted:
    array = window.settings.array
    identity = Identity(array.id, applicant.node, applicant.incarnation)
    hosts = _hosts(applicant.listen, applicant.node, array.vip)
    certificate = authority.issue(applicant.request.encode(), identity, hosts, datetime.now(UTC))
    return Admitted(
        array.name,
        array.id,
        index,
        authority.pem.decode(),
        authority.key_pem.decode() if applicant.kind == "data" else "",
        certificate.decode(),
        list(window.roster()),
        array.mirrors,
        array.min_insync,
        array.vip,
    )
