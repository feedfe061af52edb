"""One child process from start to the last of its descendants.

``run`` starts the step in a session of its own behind the sandbox, keeps its log, follows its progress, and ends it
when it stalls or when the caller's task is cancelled. It returns (or lets the cancellation through) only when every
process of the session is gone. No polling while the output grows: two pipes and a process descriptor wake the loop.

Call it from the event loop of the node's main thread (see ``sandbox``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fa.transcode.child import Child
from fa.transcode.log import LogFile, LogReader, printable
from fa.transcode.plan import Step
from fa.transcode.progress import Progress, ProgressReader
from fa.transcode.sandbox import Limits, Sandbox


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended. ``returncode`` is negative for a signal; ``errors`` are the lines that ffmpeg tagged as errors
    (the first forty of ``error_count``), ``lines`` the last lines of any kind, both cleaned; ``cpu`` is in seconds."""

    returncode: int
    stalled: bool
    progress: Progress
    errors: tuple[str, ...]
    error_count: int
    lines: tuple[str, ...]
    cpu: float


async def run(
    step: Step,
    *,
    log_path: Path,
    sandbox: Sandbox,
    limits: Limits,
    stall_after: float,
    on_progress: Callable[[Progress], None],
    pass_fds: tuple[int, ...] = (),
) -> Outcome:
    """Carry out ``step``; its stderr is appended to ``log_path``.

    Raises OSError when the program cannot be started or the log cannot be opened, StuckChild when the kernel does not
    let go of it. A cancellation is let through once the whole session is gone.
    """
    contain = step.what == "exec"
    thorough = contain and not sandbox.contain  # a process namespace takes with it whoever detached itself
    with log_path.open("ab", buffering=0) as file:
        log, lines, reader = LogFile(file), LogReader(), _Follower(on_progress)

        def on_log(data: bytes) -> None:
            log.write(data)
            lines.feed(data)

        child = Child(
            step.argv, sandbox, limits, contain=contain, cwd=step.cwd, pass_fds=pass_fds, on_output=reader.feed,
            on_log=on_log,
        )  # fmt: skip
        try:
            stalled = await child.finish(lambda: reader.progress, stall_after, thorough=thorough)
        finally:
            lines.close()
            log.close()
    return Outcome(
        returncode=child.returncode,
        stalled=stalled,
        progress=reader.progress,
        errors=tuple(lines.errors),
        error_count=lines.error_count,
        lines=tuple(printable(line) for line in lines.lines),
        cpu=child.cpu,
    )


class _Follower:
    """Keeps the latest progress, and passes each on."""

    def __init__(self, on_progress: Callable[[Progress], None]) -> None:
        self.progress = Progress()
        self._reader = ProgressReader()
        self._on_progress = on_progress

    def feed(self, data: bytes) -> None:
        for progress in self._reader.feed(data):
            self.progress = progress
            self._on_progress(progress)
