"""What a person types as a source → ``volume:path``, the only name that every node understands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from fa.cli.tables import Item
from fa.errors import Invalid

_ON_VOLUME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*:.", re.DOTALL)


def names_volume(text: str) -> bool:
    """Whether ``text`` is already ``volume:path``. Anything that begins with / or . is a path of this machine."""
    return bool(_ON_VOLUME.match(text))


def mounts(volumes: Iterable[Item], node: str) -> list[tuple[str, str]]:
    """(volume, where it is mounted) as the node that was asked sees it; as any node does when that one tells none."""
    known = [(str(each["name"]), str(each["path"]), each.get("node")) for each in volumes if each.get("path")]
    here = [(name, path) for name, path, owner in known if owner == node]
    return here or sorted({(name, path) for name, path, _ in known})


def to_place(text: str, mounted: Sequence[tuple[str, str]]) -> str:
    """``volume:path`` for a path of this machine. Raises `Invalid` when it is below no volume."""
    absolute = Path(text).absolute()
    for path in (absolute, Path(text).resolve()):
        below = [(mount, name) for name, mount in mounted if path.is_relative_to(mount)]
        if below:
            mount, name = max(below, key=lambda pair: len(pair[0]))
            return f"{name}:{path.relative_to(mount)}"
    known = ", ".join(f"{name} = {mount}" for name, mount in mounted) or "there is no volume"
    raise Invalid(
        f"{text!r} is not below a volume, so other nodes could not read it ({known}).",
        hint="Copy it onto a volume, or write volume:path.",
    )
