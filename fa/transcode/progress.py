"""What ``-progress`` prints, as values. Pure.

ffmpeg writes blocks of ``key=value`` lines; each block ends with ``progress=continue`` or ``progress=end``.
"""

from __future__ import annotations

from dataclasses import dataclass

_LINE_MAX = 4096


@dataclass(frozen=True, slots=True)
class Progress:
    """One block: pictures written, pictures per second of wall time, seconds of media and bytes written, speed as a
    multiple of real time. 0 where ffmpeg says N/A. ``ended``: the last block."""

    frames: int = 0
    fps: float = 0.0
    seconds: float = 0.0
    size: int = 0
    speed: float = 0.0
    ended: bool = False

    def share_of(self, duration: float | None) -> float:
        """How much of ``duration`` seconds is done, 0..1."""
        return min(1.0, max(0.0, self.seconds / duration)) if duration else 0.0

    def eta(self, duration: float | None) -> float | None:
        """Seconds of wall time until the step ends, None while nothing is known."""
        if not duration or self.speed <= 0:
            return None
        return max(0.0, duration - self.seconds) / self.speed


class ProgressReader:
    """Takes the bytes of the pipe as they come, gives the blocks that are complete. Foreign output (of an exec product)
    is skipped, and never kept."""

    def __init__(self) -> None:
        self._pending = b""
        self._block: dict[str, str] = {}

    def feed(self, data: bytes) -> list[Progress]:
        """The blocks that ``data`` completes."""
        *lines, pending = (self._pending + data).split(b"\n")
        self._pending = pending[-_LINE_MAX:]
        found = []
        for line in lines:
            key, equals, value = line[:_LINE_MAX].decode("ascii", "replace").strip().partition("=")
            if key == "progress" and equals:
                found.append(_progress(self._block, ended=value == "end"))
                self._block = {}
            elif equals and len(self._block) < 100:
                self._block[key] = value.strip()
        return found


def _progress(block: dict[str, str], *, ended: bool) -> Progress:
    return Progress(
        frames=int(_number(block.get("frame"))),
        fps=_number(block.get("fps")),
        seconds=_number(block.get("out_time_us")) / 1_000_000,
        size=int(_number(block.get("total_size"))),
        speed=_number((block.get("speed") or "").rstrip("x")),
        ended=ended,
    )


def _number(text: str | None) -> float:
    """A finite number that is not negative, 0 for anything else (ffmpeg says N/A, and once in a while nan or a huge
    negative time before the first packet)."""
    try:
        value = float(text or 0)
    except ValueError:
        return 0.0
    return value if 0 <= value < 1e15 else 0.0
