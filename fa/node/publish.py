"""The granted, atomic rename that makes an output visible, and what to conclude when it fails.

Any node may carry out a granted publish, also twice and at once with another: whoever renames first wins, the other one
finds no part and looks at the destination. On a network file system a rename that reported an error may have happened
(man 2 rename); so after every error the destination is compared with the grant before anything is believed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from fa.core.model import Output
from fa.core.places import parse_place
from fa.core.work import PublishResult
from fa.node import parts
from fa.node.beneath import folder_beneath, rename_no_replace, rename_replace, split
from fa.node.failpoints import reached

Digest = Callable[[Path], tuple[int, str]]  # (bytes, sha256) of a file or folder

_HOPELESS = {errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EXDEV, errno.ENAMETOOLONG}
_NOT_FROM_HERE = {errno.EACCES, errno.EPERM}  # another node may be allowed to


def publish(root: str, part: str, output: Output, replace: bool, digest: Digest) -> tuple[PublishResult, str]:
    """Rename `part` (a path on the volume) to `output.path`. Blocking; returns the result and a sentence."""
    path = parse_place(output.path).path
    try:
        _rename(root, part, path, replace)
        return PublishResult.PUBLISHED, ""
    except OSError as error:
        try:
            return _after_error(root, part, path, output, digest, error)
        except OSError as second:
            return PublishResult.TROUBLE, _say(second, output.path)


def _rename(root: str, part: str, path: str, replace: bool) -> None:
    part_folder, part_name = split(part)
    folder, name = split(path)
    with folder_beneath(root, part_folder) as from_fd, folder_beneath(root, folder, make=True) as to_fd:
        reached("publish ready")
        if not replace:
            rename_no_replace(from_fd, part_name, to_fd, name)
            left = False
        else:
            left = rename_replace(from_fd, part_name, to_fd, name)
        reached("publish renamed")
        os.fsync(to_fd)
        os.fsync(from_fd)
        reached("publish synced")
    if left:
        parts.remove_part(root, part)


def _after_error(
    root: str, part: str, path: str, output: Output, digest: Digest, error: OSError
) -> tuple[PublishResult, str]:
    if _is_output(root, path, output, digest):
        parts.remove_part(root, part)
        return PublishResult.PUBLISHED, ""
    if isinstance(error, FileNotFoundError) and not _part_exists(root, part):
        return PublishResult.GONE, "the encoded part is gone from its volume"
    if isinstance(error, FileExistsError) or error.errno in _HOPELESS:
        parts.bury(root, part)
        return PublishResult.EXISTS, _say(error, output.path)
    if error.errno in _NOT_FROM_HERE:
        parts.bury(root, part)
        return PublishResult.REFUSED, _say(error, output.path)
    return PublishResult.TROUBLE, _say(error, output.path)


def _part_exists(root: str, part: str) -> bool:
    folder, name = split(part)
    try:
        with folder_beneath(root, folder) as fd:
            os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _is_output(root: str, path: str, output: Output, digest: Digest) -> bool:
    """Is the very thing that was granted at the destination? Size first: reading is slow."""
    folder, name = split(path)
    try:
        with folder_beneath(root, folder) as fd:
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return False
    if stat.S_ISREG(found.st_mode) and found.st_size != output.bytes:
        return False
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        return False
    return digest(Path(root, path)) == (output.bytes, output.sha256)


def _say(error: OSError, place: str) -> str:
    if isinstance(error, FileExistsError):
        return f"{place} exists already and the factory does not replace. Remove it, or set replace = true."
    return f"{place} cannot be delivered: {error.strerror}."
