"""Size and SHA-256 of an output: a file, or a folder (of a ladder). Blocking: call it in a thread."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Digest:
    """``bytes`` in all, ``sha256`` in hex. That of a folder is the SHA-256 over one line ``<sha256 of the file>
    <relative name>`` per file, sorted by name: what ``sha256sum`` prints for it."""

    bytes: int
    sha256: str


def digest(path: Path) -> Digest:
    """The digest of what is at ``path``. Raises OSError."""
    if not path.is_dir():
        return _file(path)
    listing, total = hashlib.sha256(), 0
    for name in sorted(each.relative_to(path).as_posix() for each in path.rglob("*") if each.is_file()):
        one = _file(path / name)
        total += one.bytes
        listing.update(f"{one.sha256}  {name}\n".encode("utf-8", "surrogateescape"))
    return Digest(total, listing.hexdigest())


def _file(path: Path) -> Digest:
    """By descriptor and without a buffer of its own: most of the time of a small output goes into those."""
    found, size = hashlib.sha256(), 0
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while chunk := os.read(fd, CHUNK):
            found.update(chunk)
            size += len(chunk)
    finally:
        os.close(fd)
    return Digest(size, found.hexdigest())
