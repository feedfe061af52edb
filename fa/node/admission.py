"""How a server becomes a node (SECURITY.md 4.1): it shows a one-use token and gets a certificate; the coordinator
writes it into the list of nodes and asks the array core to give it a vote and, where one is wanted, a copy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from fa.core.commands import Command, PutNode, UseToken
from fa.core.model import NodeMode, NodeRow
from fa.core.view import EPOCH_STRIDE
from fa.errors import Conflict, Invalid, NotFound
from fa.node.authority import Authority, Identity
from fa.node.gateway import Done
from fa.node.settings import NAME, Settings
from fa.node.tokens import digest, read_join_token
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


_LISTEN = re.compile(r"\S{1,253}:\d{1,5}\Z")


class Applicant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who wants to join. `request`: certificate request (PEM); `kind`: data or witness; `incarnation` of its disk."""

    token: str
    node: str
    listen: str
    incarnation: str
    request: str
    kind: str = "data"


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


async def admit(window: Office, authority: Authority, applicant: Applicant, now: int) -> Admitted:
    """Make the applicant a member. Raises `Unauthorized` for its token, `Conflict` for a name that is taken.

    A row is written before the certificate is given away: a crash in between leaves a member that never comes, which
    an operator removes, and never a certificate that nobody knows of."""
    check(applicant)
    shown = read_join_token(applicant.token)
    rows = await window.readers.nodes()
    known = next((row for row in rows if row.name == applicant.node), None)
    if known and known.removed_at is None:
        hint = f"Choose another name, or first `fa node remove {applicant.node}`."
        raise Conflict(f"There is a node {applicant.node} in this array already.", hint=hint)
    await window.ask(UseToken(shown.id, digest(shown.secret), now))
    index = 1 + max((row.index for row in rows), default=0)
    assert index < EPOCH_STRIDE, "an array has fewer nodes in all its life than an epoch has room for"
    address = f"https://{applicant.listen}"
    row = NodeRow(applicant.node, NodeMode.UP, address, now, index=index, kind=applicant.kind)
    await window.ask(PutNode(row, now, f"token:{shown.id}"))
    return _papers(window, authority, applicant, index)


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
