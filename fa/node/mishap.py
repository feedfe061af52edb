"""Of what an attempt failed, and whose fault that is: the task's for ever, the node's, the volume's, nobody's.

Permanent and blamed at once is the verdict of a program (ffmpeg, a site's tool): by what this node can tell no attempt
will succeed, but its program may be at fault. The coordinator asks another node, if there is one."""

from __future__ import annotations

import errno

from fa.core.commands import Order
from fa.core.model import Cause
from fa.core.work import AttemptFailed
from fa.errors import FaError
from fa.node.volumes import VolumeFull, VolumeGone
from fa.transcode.errors import BadSource

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_PERMANENT = frozenset({errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EXDEV})
_FROM_HERE = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})  # another node may be allowed to


class Hopeless(FaError):
    """Trying this attempt again cannot help."""

    code = "attempt-hopeless"


class NotFromHere(FaError):
    """It cannot be done as this node sees the volume; another one may see it otherwise."""

    code = "attempt-not-from-here"


class NoRoom(FaError):
    """The volume of the destination has no room for the output. Make room there; it goes on by itself."""

    code = "attempt-no-room"


class ScratchFull(FaError):
    """The scratch folder of this node is full. Make room there."""

    code = "attempt-scratch-full"


def failed(
    order: Order, sentence: str, permanent: bool, blame: bool = True, cause: Cause = Cause.OTHER
) -> AttemptFailed:
    return AttemptFailed(order.task, order.attempt, sentence, permanent, blame, cause)


def failed_by(order: Order, error: FaError | OSError) -> AttemptFailed:
    if isinstance(error, OSError):
        hopeless = error.errno in _PERMANENT
        return failed(order, _say(error, order), hopeless, not hopeless, _cause_of(error))
    nobodys, permanent = isinstance(error, Hopeless | VolumeGone), isinstance(error, Hopeless | BadSource)
    return failed(order, str(error), permanent, not nobodys, _cause(error))


def _cause(error: FaError) -> Cause:
    if isinstance(error, NotFromHere):
        return Cause.VIEW
    return Cause.ROOM if isinstance(error, NoRoom | VolumeFull) else Cause.OTHER


def _cause_of(error: OSError) -> Cause:
    if error.errno in _FROM_HERE:
        return Cause.VIEW
    return Cause.ROOM if error.errno in NO_ROOM else Cause.OTHER


def _say(error: OSError, order: Order) -> str:
    words = error.strerror or str(error)
    if error.errno in NO_ROOM:
        return f"The volume of {order.destination} is full. Make room there; it goes on by itself."
    return f"{order.source} → {order.destination}: {words}. Look at the volumes and their permissions."
