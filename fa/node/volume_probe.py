"""The helper process that looks at one volume, so that a hung mount hangs it and not the node.

It reads one JSON line per question and writes one per answer; who asks gives up after `volume_timeout`. Run as
``fa _volume-probe ROOT ARRAY_ID NAME``; it keeps nothing and touches only the identity file and one small file."""

from __future__ import annotations

import errno
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any

IDENTITY = ".fa/volume.json"
IDENTITY_BYTES_MAX = 4096
BYTES_MAX = (1 << 63) - 1
NO_ROOM = "nothing more can be written there. Make room, then work goes on by itself"


def look(root: str, array_id: str, name: str) -> dict[str, Any]:
    """`{state, why, free, total}`: healthy, full, disconnected, foreign or read-only. Blocks as long as the mount
    does. What is foreign is not written to."""
    sizes: dict[str, int] = {}
    try:
        Path(root).stat()
        found = identity(root)
        space = os.statvfs(root)
        sizes = {"free": _bytes(space.f_bavail, space.f_frsize), "total": _bytes(space.f_blocks, space.f_frsize)}
        if found.get("array_id") != array_id or found.get("volume") != name:
            owner = "this array" if found.get("array_id") == array_id else "another array"
            return {"state": "foreign", "why": f"{root} is volume {found.get('volume')!r} of {owner}", **sizes}
        _write_a_little(root)
    except OSError as error:
        return {"state": _state_of(error), "why": _say(error, root), **sizes}
    return {"state": "healthy", "why": "", **sizes}


def _bytes(blocks: int, size: int) -> int:
    """As a link takes it. Servers may say more: no bound at all, or less than nothing as a number without sign."""
    return min(blocks * size, BYTES_MAX)


def identity(root: str) -> dict[str, Any]:
    """What the identity file says; nothing when it cannot be read as one. Raises `OSError`."""
    fd = os.open(f"{root}/{IDENTITY}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        raw = os.read(fd, IDENTITY_BYTES_MAX)
    finally:
        os.close(fd)
    try:
        found = json.loads(raw)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _write_a_little(root: str) -> None:
    path = Path(root, ".fa", f"probe-{secrets.token_hex(8)}")
    try:
        path.write_bytes(b"fa")
    finally:
        path.unlink(missing_ok=True)


def _state_of(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "full"
    return "read-only" if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM) else "disconnected"


def _say(error: OSError, root: str) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{root} has no identity file {IDENTITY}: nothing is mounted there, or not this volume"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NO_ROOM
    return f"{root}: {error.strerror}"


def adopt(root: str, array_id: str, name: str) -> str:
    """Write the identity of a volume that has none (`fa init`, `fa join`). "" when it is ours now, else why not."""
    folder = Path(root, ".fa")
    path = Path(root, IDENTITY)
    if not path.exists():
        folder.mkdir(mode=0o777, exist_ok=True)
        temporary = folder / f"volume-{secrets.token_hex(8)}"
        temporary.write_text(json.dumps({"array_id": array_id, "volume": name}))
        sync(temporary)
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass  # another node was faster; what it wrote is looked at below
        finally:
            temporary.unlink()
        for each in (folder, Path(root)):  # a power cut of the volume must not take what is written there later with it
            sync(each)
    found = identity(root)
    if found.get("array_id") == array_id and found.get("volume") == name:
        return ""
    return f"{root} is volume {found.get('volume')!r} of array {found.get('array_id')!r}"


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, durable. (This helper is small: nothing of fa is imported for it.)"""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def main(root: str, array_id: str, name: str) -> int:
    for _ in sys.stdin:
        print(json.dumps(look(root, array_id, name)), flush=True)
    return 0
