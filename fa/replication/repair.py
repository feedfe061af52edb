"""A database file that rotted is made whole from the replica directory of the same node, when that proves it.

The segments hold every page of every acknowledged state, each under a checksum of its own, and the rolling checksum
says whether what they give is the state that was. So a node whose disk rotted while it alone held everything needs
nobody else.
"""

from __future__ import annotations

import logging
from pathlib import Path

from fa.core.position import Position
from fa.errors import FaError
from fa.replication.directory import ReplicaDirectory
from fa.replication.durable import sync_folder
from fa.replication.errors import CopyDamaged
from fa.replication.restore import ASIDE, restore
from fa.replication.secondary import Copy
from fa.replication.state import Mark, Marker, MarkFile

log = logging.getLogger(__name__)

RESTORE = "If no other node has a whole copy: `fa mirror restore FILE` writes what the segments here still give."


def open_or_repair(copy: Copy, db_path: Path, directory: ReplicaDirectory) -> tuple[Position, str]:
    """Open a copy, after making its file whole when that is damaged: where it stands, and what was repaired, in words.

    Raises ``CopyDamaged`` when nothing here proves it whole.
    """
    try:
        return copy.open(), ""
    except CopyDamaged as damage:
        log.error("%s", damage)
        try:
            at = repair(db_path, directory)
            position = copy.open()
        except (FaError, OSError) as error:
            worse = error.detail if isinstance(error, FaError) else str(error)
            raise CopyDamaged(f"{damage.detail} It cannot be repaired here: {worse}", hint=RESTORE) from error
    return position, (
        "the file of the store was not what had been written to it, and was made whole from the segments of this node "
        f"up to transaction {at.txid}, proved by their checksum; look at its disk"
    )


def repair(db_path: Path, directory: ReplicaDirectory) -> Position:
    """Write the file of a closed copy anew, as it was at the position that it durably held; what is above that is
    applied by ``Copy.open``, from segments and SQLite's log, as after a crash.

    Raises ``FaError`` when nothing proves it, ``OSError``; the file is as it was then.
    """
    marked, at = MarkFile(db_path).read(), Marker(db_path).position
    if marked is not Mark.OK or not at.txid:
        raise CopyDamaged("Only a healthy node can make half a copy whole.")
    aside = db_path.with_name(db_path.name + "-repair")
    for left in (aside, *db_path.parent.glob(f"{ASIDE}*")):
        left.unlink(missing_ok=True)
    try:
        restored = restore(directory, aside, at.txid)
        if restored.position != at:
            raise CopyDamaged(f"Its segments give {restored.position}, not {at}.")
        aside.replace(db_path)
    finally:
        aside.unlink(missing_ok=True)
    sync_folder(db_path.parent)
    return at
