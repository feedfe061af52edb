"""Room on disks: of the state directory here, of the volumes as all nodes see them; and what takes it up unnoticed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from fa.core.alarms import Trouble
from fa.core.outlook import Space, low_volumes, room
from fa.core.work_messages import VolumeHealth
from fa.node.troubles import TroubleBook

LOOK_EVERY = 5.0  # seconds
WAL_LARGE = 256 << 20  # bytes: the writer begins it anew at a sixteenth of that, when nobody reads what is older
WAL_LOOKS = 12  # one huge commit is copied into the file within fewer looks


class Room:
    """`seen` gives the volumes of the array while this node leads, else nothing; `log` the bytes of SQLite's log that
    cannot be dropped yet."""

    def __init__(
        self,
        place: Path,
        space: Space,
        node: TroubleBook,
        array: TroubleBook,
        seen: Callable[[], Iterable[VolumeHealth]],
        log: Callable[[], int],
    ) -> None:
        self._place = place
        self._space = space
        self._node = node
        self._array = array
        self._seen = seen
        self._log = log
        self._large = 0  # looks in a row
        self._low = False
        self._low_volumes: list[str] = []

    def filled(self, full: bool) -> None:
        """The disk of the store is full: nothing can be committed; or it has room again (`fa.node.disk` looks)."""
        text = f"the disk of the job store is full ({self._place}): nothing can be written. Make room there."
        self._node.stands("store", [Trouble("store-full", self._node.scope, text)] if full else ())

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            usage = await asyncio.to_thread(shutil.disk_usage, self._place)
            self.look(usage.free, usage.total)
            self.look_at_log(self._log())
            await asyncio.sleep(LOOK_EVERY)

    def look(self, free: int, total: int) -> None:
        """Bytes on the disk of the state directory."""
        self._low = self._space.is_low(free, total, self._low)
        here = VolumeHealth("", str(self._place), "healthy", "", free, total)
        text = room(f"the disk of the state directory {self._place}", here)
        self._node.stands("disk", [Trouble("disk.low", f"{self._node.scope}/state", text)] if self._low else ())
        low = low_volumes(self._seen(), self._space, self._low_volumes)
        self._low_volumes = [trouble.subject.removeprefix("volume/") for trouble in low]
        self._array.stands("volumes", low)

    def look_at_log(self, size: int) -> None:
        """Our own reads are cut short, so it is a stranger that keeps it from being begun anew."""
        self._large = self._large + 1 if size > WAL_LARGE else 0
        text = (
            f"SQLite's log of the job store is larger than {WAL_LARGE >> 20} MiB, because something keeps an old state "
            f"of the store open: an sqlite3 on {self._place / 'store'}, or a backup of it. End that."
        )
        stays = self._large >= WAL_LOOKS
        self._node.stands("log", [Trouble("wal.large", self._node.scope, text)] if stays else ())
