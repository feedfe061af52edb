"""A short child whose whole output is wanted: a probe, a trial encode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fa.transcode.child import Child
from fa.transcode.classify import LAUNCH_FAILED
from fa.transcode.errors import Transient
from fa.transcode.log import LogReader, printable
from fa.transcode.sandbox import Limits, Sandbox

OUTPUT_MAX = 16 << 20
PROBE_SECONDS = 60.0
LIMITS = Limits(memory=8 << 30, file_size=1 << 30)


class TookTooLong(Transient):
    """Looking into the file took longer than a minute; its volume is slow or hangs. It will be tried again."""

    code = "probe-timeout"


class NotStarted(Transient):
    """A program of this node could not be started; look at its installation."""

    code = "launch"


@dataclass(frozen=True, slots=True)
class Captured:
    """``output`` is stdout, ``log`` stderr (both up to 16 MiB); ``errors`` the lines tagged as errors, cleaned."""

    returncode: int
    output: bytes
    log: bytes
    errors: tuple[str, ...]


async def capture(
    argv: Sequence[str], sandbox: Sandbox, *, seconds: float = PROBE_SECONDS, pass_fds: tuple[int, ...] = ()
) -> Captured:
    """Run ``argv`` behind the sandbox. Raises TookTooLong, StuckChild, NotStarted."""
    output, log, lines = bytearray(), bytearray(), LogReader()

    def on_log(data: bytes) -> None:
        _keep(log, data)
        lines.feed(data)

    child = Child(argv, sandbox, LIMITS, on_output=lambda data: _keep(output, data), on_log=on_log, pass_fds=pass_fds)
    if await child.finish_within(seconds):
        raise TookTooLong(f"It took longer than {seconds:g} s to look into the file.", hint="Look at its volume.")
    lines.close()
    if child.returncode in LAUNCH_FAILED:
        raise NotStarted(f"{argv[0]} could not be started: {printable(log.decode('utf-8', 'replace'))[-200:]}.")
    return Captured(child.returncode, bytes(output), bytes(log), tuple(lines.errors))


def _keep(kept: bytearray, data: bytes) -> None:
    kept += data[: OUTPUT_MAX - len(kept)]
