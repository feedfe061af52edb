"""`fa init`: the first node of a new array. The only place where a view, an authority or an array id is made out of
nothing (SAFETY.md R8)."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from fa.core.trust import Mark
from fa.core.view import VOLUME_PREFIX, Ballot, Member, first_view, on_volume
from fa.errors import Conflict, Invalid
from fa.node.adoption import adopt_volumes, check_shown, look_at
from fa.node.authority import Authority, Identity, TlsFiles, make_request, write_file
from fa.node.identity import Identity as VoteIdentity
from fa.node.identity import VoteFiles
from fa.node.settings import Array, Node, Settings, StateDir, check, save
from fa.node.vip_guardian import VirtualAddress
from fa.node.volume_race import check_volume

FIRST_INDEX = 1


def found(
    place: StateDir,
    *,
    array: str,
    node: str,
    listen: str,
    volumes: Mapping[str, str],
    witness: str = "none",
    slots: Mapping[str, int] | None = None,
    vip: str = "",
) -> Settings:
    """Make the state directory of the first node. Raises `Conflict` where there is a node already, `Invalid` for a
    volume that is not there, belongs to another array or cannot be written, `RaceFailed` for one that must not vote;
    then no array is founded and no volume belongs to it."""
    if place.settings.exists():
        raise Conflict(f"There is a node in {place.root} already.", hint="Choose another --dir, or run `fa run`.")
    array_id = str(uuid.uuid4())
    settings = Settings(
        Array(array, array_id, vip=vip, witness=witness),
        Node(node, listen, index=FIRST_INDEX, slots=dict(slots or {})),
        volumes=dict(volumes),
    )
    incarnation = secrets.token_hex(8)
    _check_all(settings)
    place.make()
    adopt_volumes(array_id, volumes)
    _certify(place, settings, incarnation)
    votes = VoteFiles(place.votes)
    view = first_view(Member(node, incarnation), FIRST_INDEX)
    votes.save_ballot(Ballot(view.epoch, view))
    votes.save_identity(VoteIdentity(incarnation, 0, Mark.OK))
    save(place, settings)
    return settings


def _check_all(settings: Settings) -> None:
    """What is wrong is refused before anything is made."""
    check(settings, "the options")
    hosts_of(settings)
    check_shown(settings.array.id, (), look_at(settings.volumes))
    _check_witness(settings.array.witness, settings.volumes)


def _check_witness(witness: str, volumes: Mapping[str, str]) -> None:
    """A volume gets a vote only if it keeps what a vote rests on. Raises `Invalid`, `RaceFailed`."""
    if not on_volume(witness):
        return
    name = witness.removeprefix(VOLUME_PREFIX)
    if name not in volumes:
        raise Invalid(f"The witness {witness} is none of the volumes.", hint=f"Add --volume {name}=PATH.")
    check_volume(Path(volumes[name]), name)


def _certify(place: StateDir, settings: Settings, incarnation: str) -> None:
    files = TlsFiles(place.tls)
    now = datetime.now(UTC)
    authority = Authority.create(settings.array.name, now)
    authority.save(files)
    request = make_request(files)
    identity = Identity(settings.array.id, settings.node.name, incarnation)
    certificate = authority.issue(request, identity, hosts_of(settings), now)
    write_file(files.node, certificate, 0o644)


def hosts_of(settings: Settings) -> tuple[str, ...]:
    """Names and addresses under which a client may reach the node; the virtual one is among them."""
    node, vip = settings.node, settings.array.vip
    hosts = [address.rpartition(":")[0].strip("[]") for address in (node.listen, node.advertise) if address]
    virtual = [VirtualAddress.parse(vip).address] if vip else []
    return tuple(dict.fromkeys([*hosts, node.name, "localhost", "127.0.0.1", *virtual]))
