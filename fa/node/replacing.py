"""What stands at a destination and may be replaced (`replace = true`): as little as can be.

A file replaces a regular file that is no source: not its own, and not that of another job, unless fa delivered that
very file there. A folder replaces only a folder that fa itself delivered there and that nobody changed since, down to
the last byte: `.fa/delivered/` keeps a receipt of each, and what stands there is read and compared. So what people or
programs put into such a folder, and a source that lies in it, is never removed.

Folders change places in two renames, neither of which ever replaces anything: the old one goes to `.fa/aside/`, under
the name of the part, the new one takes its place. The part's name is used up by that, and the name aside is kept by a
marker (`OVER`), so whoever was granted the same, and is late or comes again, finds both and can undo nothing. To
exchange the two would leave no moment without a folder; but who does that twice brings the old one back."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fa.core.model import Spare
from fa.core.places import Place
from fa.errors import FaError
from fa.node.beneath import folder_beneath, rename_no_replace, split
from fa.node.failpoints import reached
from fa.node.parts import names_in, remove_at

log = logging.getLogger(__name__)

ASIDE_FOLDER = ".fa/aside"
DELIVERED_FOLDER = ".fa/delivered"
OVER = ".fa-over"  # in a folder aside: it was verified to be an earlier delivery, and is being removed

Digest = Callable[[Path], tuple[int, str]]  # (bytes, sha256) of a file or folder


class InTheWay(FaError):
    """What stands at the destination is never replaced."""

    code = "in-the-way"


def spared(place: Place, spare: Spare) -> InTheWay:
    """Whoever submitted it, a source is not ours to replace."""
    return InTheWay(f"{place} is the source of job {spare.job}.", hint="Deliver to another place, or move it away.")


@dataclass(frozen=True, slots=True)
class Destination:
    """A place on the volume whose root this is, and what must be spared there: `source` is the job's own, None when it
    is gone from its place."""

    root: str
    place: Place
    source: os.stat_result | None

    def check(self, fd: int, name: str) -> os.stat_result | None:
        """What stands there, if a product might replace it. Raises `InTheWay` for what no product may."""
        standing = look(fd, name)
        if standing is None:
            return None
        if stat.S_ISDIR(standing.st_mode):
            self._check_folder(fd, name)
        elif not stat.S_ISREG(standing.st_mode):
            raise InTheWay(f"At {self.place} stands what is neither a file nor a folder.", hint="Move it away.")
        elif self._is_source(standing):
            raise InTheWay(f"{self.place} is the source itself, by another name.", hint="Deliver to another place.")
        return standing

    def _check_folder(self, fd: int, name: str) -> None:
        if not _receipts(self.root, self.place.path):
            raise self._not_ours()
        for found in _all_in(fd, name):
            if self._is_source(found):
                raise InTheWay(f"The source lies in the folder {self.place}.", hint="Deliver to another place.")
            if not stat.S_ISREG(found.st_mode):
                raise self._not_ours()

    def check_kind(self, standing: os.stat_result, *, folder: bool) -> None:
        """A file never takes the place of a folder, and no folder that of a file."""
        if stat.S_ISDIR(standing.st_mode) != folder:
            one, other = ("file", "folder") if folder else ("folder", "file")
            raise InTheWay(f"{self.place} is a {one}, and a {other} never replaces one.", hint="Move it away.")

    def check_delivered(self, sha256: str) -> None:
        """Raises `InTheWay` unless fa delivered a folder of that digest there."""
        if sha256 not in _receipts(self.root, self.place.path):
            raise self._not_ours()

    def _not_ours(self) -> InTheWay:
        what = f"The folder {self.place} is not as a delivery of fa left it, or never was one"
        return InTheWay(f"{what}: it is not replaced.", hint="Move it away.")

    def _is_source(self, found: os.stat_result) -> bool:
        return self.source is not None and _is_same(found, self.source)


def look(fd: int, name: str) -> os.stat_result | None:
    """What is there, links not followed."""
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def look_at_source(root: str, path: str) -> os.stat_result | None:
    """Of a source, None when it is not at its place any more."""
    folder, name = split(path)
    try:
        with folder_beneath(root, folder) as fd:
            return look(fd, name)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_same(one: os.stat_result, other: os.stat_result) -> bool:
    """By whatever name; also where a share is mounted twice and has another device number each time."""
    if one.st_ino != other.st_ino:
        return False
    if one.st_dev == other.st_dev:
        return True
    return (one.st_size, one.st_mtime_ns, one.st_ctime_ns) == (other.st_size, other.st_mtime_ns, other.st_ctime_ns)


def _all_in(fd: int, name: str) -> Iterator[os.stat_result]:
    """Everything below that folder but folders."""
    for _, _, files, folder in os.fwalk(name, dir_fd=fd, onerror=_raise):
        for file in files:
            yield os.stat(file, dir_fd=folder, follow_symlinks=False)


def _raise(error: OSError) -> None:
    raise error


# --- receipts ---


def _receipts_of(path: str) -> str:
    return f"{DELIVERED_FOLDER}/{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}"


def note_delivery(root: str, path: str, sha256: str) -> None:
    """Before a folder is delivered: its receipt. One that is lost costs a refusal, so it need not be durable."""
    with folder_beneath(root, _receipts_of(path), make=True) as fd:
        os.close(os.open(sha256, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=fd))


def _forget_delivery(root: str, path: str, sha256: str) -> None:
    with suppress(FileNotFoundError), folder_beneath(root, _receipts_of(path)) as fd:
        os.unlink(sha256, dir_fd=fd)


def _receipts(root: str, path: str) -> frozenset[str]:
    """The digests of all that was delivered there, as far as it was not replaced."""
    try:
        with folder_beneath(root, _receipts_of(path)) as fd:
            return frozenset(names_in(fd))
    except FileNotFoundError:
        return frozenset()


# --- two renames ---


def change_places(root: str, from_fd: int, part: str, to_fd: int, name: str) -> None:
    """The old folder goes aside, the part takes its place. Raises `OSError`, with the old one back if that can be."""
    with folder_beneath(root, ASIDE_FOLDER, make=True) as aside:
        rename_no_replace(to_fd, name, aside, part)
        reached("replace cleared")
        try:
            rename_no_replace(from_fd, part, to_fd, name)
        except OSError:
            with suppress(OSError):  # another node was faster
                rename_no_replace(aside, part, to_fd, name)
            raise
        os.fsync(aside)


def put_back(root: str, part: str, path: str) -> None:
    """What is aside for a part that can no longer be published, unless it is being removed."""
    folder, name = split(path)
    with suppress(FileNotFoundError, FileExistsError), _aside(root, part) as (aside, inside):
        if look(inside, OVER) is None:
            with folder_beneath(root, folder) as fd:
                rename_no_replace(aside, part, fd, name)


def clear_aside(root: str, part: str, path: str, output_sha256: str, digest: Digest) -> None:
    """Once the part was published: remove what it replaced. That costs room and nothing else, so trouble with it is not
    that of the publish."""
    try:
        with _aside(root, part) as (_, inside):
            if look(inside, OVER) is None and not _mark(root, path, inside, output_sha256, digest):
                log.warning("%s/%s was changed while it was replaced: it is kept there", ASIDE_FOLDER, part)
                return
            reached("replace over")
            for name in names_in(inside):
                if name != OVER:
                    remove_at(inside, name)
    except FileNotFoundError:
        pass  # nothing was replaced, or another node clears it
    except OSError as error:
        log.warning("%s/%s could not be removed: %s; the sweep does it", ASIDE_FOLDER, part, error)


def _mark(root: str, path: str, inside: int, output_sha256: str, digest: Digest) -> bool:
    """One more look at it, as who had it open may have written to it: False when it is no delivery any more."""
    _, old = digest(Path(f"/proc/self/fd/{inside}"))
    if old not in _receipts(root, path):
        return look(inside, OVER) is not None  # another node clears it
    reached("replace verified")
    os.close(os.open(OVER, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666, dir_fd=inside))
    os.fsync(inside)
    if old != output_sha256:
        _forget_delivery(root, path, old)
    return True


@contextmanager
def _aside(root: str, part: str) -> Iterator[tuple[int, int]]:
    """The folder of what is aside, and that of this part in it."""
    with folder_beneath(root, ASIDE_FOLDER) as aside, folder_beneath(root, f"{ASIDE_FOLDER}/{part}") as inside:
        yield aside, inside


def sweep_aside(root: str, lasted: Callable[[str, int], bool]) -> list[str]:
    """Remove what is marked since long ago; until then it guards against who is late. `lasted` says so of a path and
    what changes with its mark."""
    gone = []
    try:
        with folder_beneath(root, ASIDE_FOLDER) as aside:
            for name in names_in(aside):
                with suppress(FileNotFoundError):
                    marked = os.stat(f"{name}/{OVER}", dir_fd=aside, follow_symlinks=False)
                    if lasted(f"{ASIDE_FOLDER}/{name}", marked.st_mtime_ns):
                        remove_at(aside, name)
                        gone.append(name)
    except FileNotFoundError:
        pass
    return gone
