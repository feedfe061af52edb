"""Parts: where an attempt writes until it is published: `.fa/part/` at the volume's root, names never used before."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from fa.core.places import Place
from fa.node.beneath import folder_beneath, split
from fa.node.failpoints import reached

PART_FOLDER = ".fa/part"
GRAVE_FOLDER = ".fa/grave"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose part it is: a node in one of its lives."""

    node: str
    boot: int


def new_part(volume: str, owner: Owner, job: int, product: str, attempt: int) -> Place:
    """A name that no attempt had or will have, and that nobody outside can guess. It has no suffix on purpose: what is
    half-written must not look like media to anybody."""
    name = f"{secrets.token_hex(8)}~{owner.boot}~{owner.node}"
    return Place(volume, beginning(job, product, attempt) + name)


def beginning(job: int, product: str, attempt: int) -> str:
    """How the paths of all parts of this attempt begin."""
    safe = "".join(char if char.isascii() and char.isalnum() else "-" for char in product)[:40]
    return f"{PART_FOLDER}/{job}-{safe}-{attempt}-"


def owner_of(path: str) -> Owner | None:
    """Who made a part, from its name; None for what fa did not name."""
    match path.rsplit("/", 1)[-1].split("~", 2):
        case [_, boot, node] if boot.isdigit():
            return Owner(node, int(boot))
    return None


def is_part(path: str) -> bool:
    return path.startswith(f"{PART_FOLDER}/") and path.count("/") == 2


def make_part_folder(root: str) -> None:
    with folder_beneath(root, PART_FOLDER, make=True):
        pass


def remove_part(root: str, path: str) -> None:
    """Remove a part, file or folder; one that is not there is fine. Never anything outside of the part folder."""
    assert is_part(path), f"{path} is not a part"
    folder, name = split(path)
    try:
        with folder_beneath(root, folder) as fd:
            remove_at(fd, name)
    except FileNotFoundError:
        pass


def remove_at(fd: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=fd)
    except IsADirectoryError:
        shutil.rmtree(name, dir_fd=fd)


def bury(root: str, path: str) -> None:
    """Take a part away for good, so that no late rename can find it: first moved into the grave, atomically, then
    removed there. Raises `FileNotFoundError` when it is not there: somebody published or buried it."""
    assert is_part(path), f"{path} is not a part"
    folder, name = split(path)
    with folder_beneath(root, folder) as fd, folder_beneath(root, GRAVE_FOLDER, make=True) as grave:
        reached("bury ready")
        os.rename(name, name, src_dir_fd=fd, dst_dir_fd=grave)
        reached("bury renamed")
        os.fsync(grave)
        os.fsync(fd)
        reached("bury synced")
        with suppress(OSError):  # the sweep does it
            remove_at(grave, name)


def empty_grave(root: str) -> list[str]:
    """Remove what was buried and is still there: a node died between the two. The names of it."""
    try:
        with folder_beneath(root, GRAVE_FOLDER) as grave:
            names = names_in(grave)
            for name in names:
                with suppress(FileNotFoundError):  # another node sweeps too
                    remove_at(grave, name)
            return names
    except FileNotFoundError:
        return []


def names_in(fd: int) -> list[str]:
    with os.scandir(fd) as entries:
        return [entry.name for entry in entries]


def list_parts(root: str) -> list[str]:
    """The paths on the volume of all parts; [] where there is no part folder."""
    try:
        with folder_beneath(root, PART_FOLDER) as fd:
            return [f"{PART_FOLDER}/{name}" for name in names_in(fd)]
    except FileNotFoundError:
        return []


def mark_of(root: str, path: str) -> int | None:
    """What changes, in this process, with whatever is written to a part, or in it where it is a folder; None when it is
    gone."""
    folder, name = split(path)
    try:
        with folder_beneath(root, folder) as fd:
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
            marks = [(name, found.st_size, found.st_mtime_ns)]
            if stat.S_ISDIR(found.st_mode):
                marks += _marks_below(fd, name)
            return hash(tuple(sorted(marks)))
    except FileNotFoundError:
        return None


def _marks_below(fd: int, name: str) -> Iterator[tuple[str, int, int]]:
    for at, _, files, folder in os.fwalk(name, dir_fd=fd):
        for file in files:
            found = os.stat(file, dir_fd=folder, follow_symlinks=False)
            yield f"{at}/{file}", found.st_size, found.st_mtime_ns
