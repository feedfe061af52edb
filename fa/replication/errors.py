"""What can be wrong with a copy of the store, each with the sentence that an operator reads.

Three families. ``SegmentError``: a segment was refused, the copy is as it was. ``CopyError``: the copy itself needs
help (refetch, diff, snapshot). ``WriterError``: the write path cannot go on, or cannot say how a write ended.
"""

from __future__ import annotations

from fa.errors import Conflict, FaError, Invalid, Unavailable


class SegmentError(Invalid):
    """A segment was refused; this copy of the store is unchanged."""

    code = "segment-refused"


class SegmentCorrupt(SegmentError):
    """A segment arrived damaged: its checksum does not fit its bytes. It is asked for again; check cable and memory."""

    code = "segment-corrupt"


class SegmentTruncated(SegmentCorrupt):
    """A segment ends too early. It is asked for again."""

    code = "segment-truncated"


class SegmentGap(SegmentError):
    """A segment does not follow on the last one here; those between are asked for first."""

    code = "segment-gap"


class SegmentReplay(SegmentError):
    """A segment that this copy already has arrived again; it was not applied twice."""

    code = "segment-replay"


class WrongPre(SegmentError):
    """A segment builds on another state than this copy holds: the histories parted. Resynchronise this copy."""

    code = "segment-wrong-pre"


class WrongPost(SegmentError):
    """A segment's pages do not give the state it promises. It is asked for again; if that repeats, check the sender."""

    code = "segment-wrong-post"


class StaleEpoch(SegmentError):
    """A segment came from a coordinator that has been replaced; it was refused."""

    code = "stale-epoch"


class OtherArray(SegmentError):
    """A segment of another array arrived; it was refused. Check addresses: two arrays must not share one."""

    code = "other-array"


class CopyError(FaError):
    """This copy of the store cannot be used as it is; it must be resynchronised."""

    code = "copy-error"


class CopyDamaged(CopyError):
    """This copy of the store is damaged on disk; it is marked SUSPECT and fetched again from a healthy node."""

    code = "copy-damaged"


class NeedsResync(CopyError):
    """This copy went another way than the array and cannot be cut back; it needs a page diff or a snapshot."""

    code = "needs-resync"


class HistoryChanged(CopyError):
    """Segments were moved away while they were compacted; it begins anew."""

    code = "history-changed"


class NoSuchMoment(FaError):
    """The replica directory does not reach back to that moment."""

    code = "no-such-moment"
    status = 404


class LineageBroken(CopyError):
    """The replica directory mixes two histories or has a hole; restore from another node's directory."""

    code = "lineage-broken"


class SegmentFileDamaged(SegmentCorrupt):
    """A file of the replica directory is damaged; restore from another node's directory, or an earlier moment."""

    code = "segment-file-damaged"


class RestoreFailed(FaError):
    """The restored database could not be written; nothing is left behind."""

    code = "restore-failed"


class RestoreTargetExists(Conflict):
    """The output file exists already; nothing was overwritten. Name another file."""

    code = "restore-target-exists"


class StockToolFailed(FaError):
    """The stock litestream program is missing or refused the replica directory."""

    code = "litestream-failed"


class WriterError(FaError):
    """The store cannot be written any more on this node; it stops acknowledging and must be restarted."""

    code = "writer-dead"


class WALError(WriterError):
    """SQLite's log is not what the only writer left there: something else wrote to the store. This node stops."""

    code = "wal-mismatch"


class StoreRotten(WriterError):
    """The disk gives other pages of the store than were written to it. This node stops; the copies have them right."""

    code = "store-rotten"


class NotStarted(Unavailable):
    """This node stopped leading before the write began; nothing was changed. Try again."""

    code = "not-started"


class OutcomeUnknown(Unavailable):
    """This node stopped leading while the write was on its way. Repeat it with the same idempotency key."""

    code = "outcome-unknown"
