"""What lies in a folder of a volume, for people who look for a source.

The look happens in a helper process, ``fa _browse``: a mount that hangs makes it hang, and not the node. One that has
not answered is not asked again until it has, since what hangs in the kernel cannot be killed. Nothing outside the
volume can be seen: a link is shown as what it is, and never followed."""

from __future__ import annotations

import asyncio
import errno
import heapq
import json
import os
import stat
import sys
from base64 import b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fa.core.places import Place, parse_place
from fa.errors import FaError, Invalid, NotFound
from fa.node.beneath import folder_beneath
from fa.node.helper import Helper, HelperEnded, helper_command

TIMEOUT = 8.0  # seconds: a folder of a million files on a slow NAS is told as such
OWN = ".fa"  # what fa itself keeps at the root of a volume
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class VolumeSilent(FaError):
    """The volume cannot be read now. Unlike what is unavailable, it is not waited for: a person looks on."""

    code = "volume-silent"
    status = 504


class Browser:
    """Looks at the folders of the volumes of this node."""

    def __init__(self, command: list[str] | None = None, timeout: float = TIMEOUT) -> None:
        self._command = command or helper_command("browse")
        self._timeout = timeout
        self._helpers: dict[str, Helper] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    async def look(self, root: str, place: Place, after: str, limit: int) -> Mapping[str, Any]:
        """`{items, next}`, in the order of names. Raises `Invalid` for a cursor, `NotFound` where there is no folder,
        `VolumeSilent` when the mount does not answer."""
        question = {"root": root, "path": place.path, "after": _name_of(after).decode("latin-1"), "limit": limit}
        async with self._turns.setdefault(place.volume, asyncio.Lock()):
            told = await self._ask(place.volume, question)
        if told.get("gone"):
            raise NotFound(
                f"There is no folder {place} ({told['why']}).", hint="`fa volume files` lists what there is."
            )
        if told.get("why"):
            raise VolumeSilent(
                f"The folder {place} cannot be read: {told['why']}.", hint="`fa volume list` may say more."
            )
        return {"items": told["items"], "next": _cursor_of(told["next"])}

    async def _ask(self, volume: str, question: Mapping[str, Any]) -> Mapping[str, Any]:
        helper = self._helpers.setdefault(volume, Helper(self._command))
        if helper.busy:
            raise VolumeSilent(f"Volume {volume} has not answered an earlier look.", hint="`fa volume list` says why.")
        helper.forget_answer()
        try:
            told = dict(await helper.ask(question, self._timeout))
        except TimeoutError:
            raise VolumeSilent(
                f"Volume {volume} did not answer within {self._timeout:g} s.", hint="`fa volume list` says why."
            ) from None
        except HelperEnded:
            raise VolumeSilent("The process that looked at the folder ended.") from None
        await helper.close()
        return told

    async def stop(self) -> None:
        await asyncio.gather(*(helper.close() for helper in self._helpers.values()))


def place_of(volume: str, path: str) -> Place:
    """A folder; "" is the root. Raises `BadPlace`."""
    path = path.removesuffix("/")
    if path:
        return parse_place(f"{volume}:{path}")
    parse_place(f"{volume}:x")
    return Place(volume, "")


def _name_of(cursor: str) -> bytes:
    try:
        return b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), b"-_", validate=True)
    except (NotBase64, ValueError):
        raise Invalid("This cursor is none that a list gave.", hint="Start again without after=.") from None


def _cursor_of(name: str | None) -> str | None:
    return None if name is None else urlsafe_b64encode(os.fsencode(name)).decode().rstrip("=")


# --- in the helper ---


def look(question: Mapping[str, Any]) -> dict[str, Any]:
    """One page of a folder: never more than that is held, however many files there are."""
    path, limit = question["path"], question["limit"]
    try:
        with folder_beneath(question["root"], path) as folder, os.scandir(folder) as entries:
            seen = (entry for entry in entries if path or entry.name != OWN)
            after = question["after"].encode("latin-1")
            names = _first((os.fsencode(entry.name) for entry in seen), after, limit + 1)
            items = list(_items(folder, names[:limit]))
    except OSError as error:
        return {"gone": error.errno in _GONE, "why": error.strerror}
    return {"items": items, "next": os.fsdecode(names[limit - 1]) if len(names) > limit else None}


def _first(names: Iterable[bytes], after: bytes, count: int) -> list[bytes]:
    return heapq.nsmallest(count, (name for name in names if name > after))


def _items(folder: int, names: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for name in names:
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            continue  # it went away meanwhile
        kind = "folder" if stat.S_ISDIR(found.st_mode) else "file" if stat.S_ISREG(found.st_mode) else "other"
        told = {"name": os.fsdecode(name), "kind": kind, "mtime_ms": found.st_mtime_ns // 1_000_000}
        yield told | ({"bytes": found.st_size} if kind == "file" else {})


def main() -> int:
    for line in sys.stdin:
        print(json.dumps(look(json.loads(line))), flush=True)
    return 0
