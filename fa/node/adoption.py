"""How a volume becomes this array's: `fa init` and `fa join` write an identity file at its root, once.

First everything is looked at, then something is written: a mount point with nothing mounted on it looks like a new
volume, and what is written there later is on one server's own disk. So nothing is made that is not there, and who joins
must show the identity of each volume that the array has already."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from fa.errors import Invalid
from fa.node.volume_probe import IDENTITY, adopt, identity


class Shown(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A mount point, and the identity that lies there: of which array and which volume; "" = there is none."""

    path: str
    array_id: str = ""
    volume: str = ""


def look_at(volumes: Mapping[str, str]) -> dict[str, Shown]:
    """What lies where the volumes are mounted; nothing is written. Raises `Invalid` where there is no folder, or one
    in which an identity would have to be written and cannot be."""
    return {name: _shown(name, root) for name, root in sorted(volumes.items())}


def _shown(name: str, root: str) -> Shown:
    if not Path(root).is_dir():
        hint = "Mount it there first; a folder that is to serve as a volume is made with mkdir."
        raise Invalid(f"Volume {name} cannot be used: there is no folder {root} on this server.", hint=hint)
    try:
        found = identity(root)
    except FileNotFoundError:
        if not os.access(root, os.W_OK | os.X_OK):
            raise _unusable(name, f"{root} cannot be written") from None
        return Shown(root)
    except OSError as error:
        raise _unusable(name, f"{root}: {error.strerror}") from error
    return Shown(root, str(found.get("array_id") or "?"), str(found.get("volume") or "?"))


def check_shown(array_id: str, known: Collection[str], shown: Mapping[str, Shown]) -> None:
    """Raises `Invalid` for what belongs to another array or is another volume, and for a volume that the array knows
    by that name when no identity lies there."""
    for name, found in shown.items():
        if not found.array_id and name in known:
            what = f"{found.path} is not the volume {name} of this array: it has no {IDENTITY}; is it mounted?"
            raise Invalid(what, hint="Mount the share there and try again; another volume needs another name.")
        if found.array_id and (found.array_id, found.volume) != (array_id, name):
            owner = "this array" if found.array_id == array_id else f"another array ({found.array_id})"
            what = f"Volume {name} cannot be used: {found.path} is volume {found.volume!r} of {owner}."
            raise Invalid(what, hint="Mount the right share, or use another folder.")


def adopt_volumes(array_id: str, volumes: Mapping[str, str]) -> None:
    """Give each volume its identity, or make sure that it is this array's."""
    for name, root in sorted(volumes.items()):
        try:
            why = adopt(root, array_id, name)
        except OSError as error:
            raise _unusable(name, f"{root}: {error.strerror}") from error
        if why:
            raise Invalid(f"Volume {name} cannot be used: {why}.", hint="Mount the right share, or use another folder.")


def _unusable(name: str, why: str) -> Invalid:
    return Invalid(f"Volume {name} cannot be used: {why}.", hint="Mount it, writable, and try again.")
