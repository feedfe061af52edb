"""The granted, atomic rename that makes an output visible, and what to conclude when it fails.

Everything here happens beneath one open folder that was seen to be the volume, so that a mount that comes or goes is
trouble, and never an answer. Only what is known to be the granted file, folder and all, is called published.

Any node may carry out a granted publish, also twice and at once with another: whoever renames first wins, the other one
finds no part and looks at the destination. On a network file system a rename that reported an error may have happened
(man 2 rename); so after every error the destination is compared with the grant before anything is believed."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fa.core.model import Spare
from fa.core.places import Place, parse_place
from fa.core.work import Publish, PublishResult
from fa.errors import FaError
from fa.node import parts, replacing
from fa.node.beneath import folder_beneath, rename_no_replace, split
from fa.node.failpoints import reached
from fa.node.replacing import Destination, Digest, InTheWay, look, spared

_HOPELESS = {errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EXDEV, errno.ENAMETOOLONG}
_NOT_FROM_HERE = {errno.EACCES, errno.EPERM}  # another node may be allowed to

Ended = tuple[PublishResult, str]


class Shares(Protocol):
    """`fa.node.volumes.Volumes`."""

    def pinned(self, name: str, **needs: bool) -> AbstractContextManager[str]: ...


def publish(shares: Shares, wish: Publish, digest: Digest, node: str) -> Ended:
    """Rename the part to `output.path`, on the node of that name. Blocking; returns the result and a sentence."""
    final = parse_place(wish.output.path)
    try:
        with shares.pinned(final.volume, room=False) as root:
            return _Publication(shares, root, parse_place(wish.part).path, final, wish, digest, node).carry_out()
    except OSError as error:
        return PublishResult.TROUBLE, _say(error, wish.output.path)
    except FaError as error:
        return PublishResult.TROUBLE, str(error)


@dataclass(frozen=True, slots=True)
class _Publication:
    """One try, on a volume whose root is held open. `part` is a path on it."""

    shares: Shares
    root: str
    part: str
    final: Place
    wish: Publish
    digest: Digest
    node: str

    def carry_out(self) -> Ended:
        try:
            self._rename()
        except InTheWay as error:
            return self._refuse(PublishResult.EXISTS, str(error))
        except OSError as error:
            return self._after_error(error)
        return self._published()

    def _rename(self) -> None:
        part_folder, part_name = split(self.part)
        folder, name = split(self.final.path)
        with folder_beneath(self.root, part_folder) as from_fd, folder_beneath(self.root, folder, make=True) as to_fd:
            made = look(from_fd, part_name)
            if made is None:
                raise FileNotFoundError(errno.ENOENT, "the encoded part is not there", part_name)
            if stat.S_ISDIR(made.st_mode):
                replacing.note_delivery(self.root, self.final.path, self.wish.output.sha256)
            standing = self._may_replace(to_fd, name, made) if self.wish.replace else None
            reached("publish ready")
            if standing is None:
                rename_no_replace(from_fd, part_name, to_fd, name)
            elif stat.S_ISDIR(made.st_mode):
                replacing.change_places(self.root, from_fd, part_name, to_fd, name)
            else:
                os.rename(part_name, name, src_dir_fd=from_fd, dst_dir_fd=to_fd)
            reached("publish renamed")
            os.fsync(to_fd)  # what is visible before what is gone
            reached("publish half synced")
            os.fsync(from_fd)
            reached("publish synced")

    def _may_replace(self, to_fd: int, name: str, made: os.stat_result) -> os.stat_result | None:
        """What stands at the destination, if this product may take its place. Raises `InTheWay`, and
        `FileExistsError` for what is the output already."""
        if look(to_fd, name) is None:
            return None
        destination = Destination(self.root, self.final, self._look_at_source())
        if destination.place.covers(parse_place(self.wish.source)):
            raise InTheWay(f"At {self.final} lies the source.", hint="Deliver to another place.")
        standing = destination.check(to_fd, name)
        if standing is not None:
            destination.check_kind(standing, folder=stat.S_ISDIR(made.st_mode))
            if stat.S_ISDIR(standing.st_mode):
                self._check_delivered(destination, to_fd, name)
            elif self.wish.spare:
                self._check_spared(self.wish.spare, to_fd, name)
        return standing

    def _look_at_source(self) -> os.stat_result | None:
        """Where its volume cannot be looked at nothing is replaced here, now: that raises `VolumeGone`."""
        source = parse_place(self.wish.source)
        with self.shares.pinned(source.volume, write=False) as root:
            return replacing.look_at_source(root, source.path)

    def _check_delivered(self, destination: Destination, to_fd: int, name: str) -> None:
        destination.check_delivered(self._digest_of_another(to_fd, name)[1])

    def _check_spared(self, spare: Spare, to_fd: int, name: str) -> None:
        """Who writes to it between this look and the rename was late: so it is with all that is replaced."""
        found, ours = self._digest_of_another(to_fd, name), spare.delivered
        if ours is None or found != (ours.bytes, ours.sha256):
            raise spared(self.final, spare)

    def _digest_of_another(self, to_fd: int, name: str) -> tuple[int, str]:
        """Of what stands there, if it is not the output already."""
        found = self.digest(Path(f"/proc/self/fd/{to_fd}", name))
        if found == (self.wish.output.bytes, self.wish.output.sha256):
            raise FileExistsError(errno.EEXIST, "it is published already", name)
        return found

    def _after_error(self, error: OSError) -> Ended:
        if self._is_output():
            parts.remove_part(self.root, self.part)
            return self._published()
        if isinstance(error, FileNotFoundError) and not self._part_exists():
            replacing.put_back(self.root, split(self.part)[1], self.final.path)
            return PublishResult.GONE, "the encoded part is gone from its volume"
        taken = isinstance(error, FileExistsError) and not self.wish.replace
        if taken or error.errno in _HOPELESS:
            return self._refuse(PublishResult.EXISTS, _say(error, self.wish.output.path))
        if error.errno in _NOT_FROM_HERE and self._is_ours():
            return self._refuse(PublishResult.REFUSED, _say(error, self.wish.output.path))
        return PublishResult.TROUBLE, _say(error, self.wish.output.path)

    def _is_ours(self) -> bool:
        """Whether the attempt ran here. Who only helps, and may not, must not put away what its own node may be about
        to deliver, nor have that node blamed for it: it tries again until somebody did it."""
        owner = parts.owner_of(self.part)
        return owner is not None and owner.node == self.node

    def _refuse(self, result: PublishResult, sentence: str) -> Ended:
        parts.bury(self.root, self.part)
        return result, sentence

    def _published(self) -> Ended:
        if self.wish.replace:
            part = split(self.part)[1]
            replacing.clear_aside(self.root, part, self.final.path, self.wish.output.sha256, self.digest)
        return PublishResult.PUBLISHED, ""

    def _part_exists(self) -> bool:
        folder, name = split(self.part)
        try:
            with folder_beneath(self.root, folder) as fd:
                return look(fd, name) is not None
        except FileNotFoundError:
            return False

    def _is_output(self) -> bool:
        """Whether the destination is what was granted. Then it is durable, too: who renamed it may have died of it."""
        folder, name = split(self.final.path)
        granted = self.wish.output
        try:
            with folder_beneath(self.root, folder) as fd:
                found = look(fd, name)
                if found is None or not self._may_be_output(found):
                    return False
                if self.digest(Path(f"/proc/self/fd/{fd}", name)) != (granted.bytes, granted.sha256):
                    return False
                os.fsync(fd)
                return True
        except (FileNotFoundError, NotADirectoryError):
            return False

    def _may_be_output(self, found: os.stat_result) -> bool:
        if stat.S_ISREG(found.st_mode):
            return found.st_size == self.wish.output.bytes
        return stat.S_ISDIR(found.st_mode)


def _say(error: OSError, place: str) -> str:
    if isinstance(error, FileExistsError):
        return f"{place} exists already and the factory does not replace. Remove it, or set replace = true."
    return f"{place} cannot be delivered: {error.strerror}."
