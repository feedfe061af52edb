"""A child process on the event loop: started in its own session, read, watched, ended, reaped.

Everything is woken by descriptors: the two pipes, and a pidfd that becomes readable when the child ends. There is no
thread and no timer per child but the one of the stall watch.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress

from fa.transcode.errors import Transient
from fa.transcode.progress import Progress
from fa.transcode.sandbox import child_environment
from fa.transcode.session import group_is_empty, kill_session, session_members
from fa.transcode.stall import StallWatch

TERM_GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL."""

KILL_PATIENCE = 20.0
"""Seconds after SIGKILL before a child is given up: it waits in the kernel, for a volume that hangs."""

_CHUNK = 1 << 16


class StuckChild(Transient):
    """A child does not end although it was killed: it waits in the kernel, most likely for a volume that hangs."""

    code = "stuck-child"


class Child:
    """A process, from its start on. ``returncode`` (negative: a signal) and ``cpu`` seconds are set at its end."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        on_output: Callable[[bytes], None],
        on_log: Callable[[bytes], None],
        cwd: str | None = None,
        pass_fds: tuple[int, ...] = (),
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.returncode = 0
        self.cpu = 0.0
        self._ended = asyncio.Event()
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=child_environment(),
            start_new_session=True,
            pass_fds=pass_fds,
        )
        assert self._process.stdout is not None and self._process.stderr is not None, "both pipes were asked for"
        self._pipes = {self._process.stdout.fileno(): on_output, self._process.stderr.fileno(): on_log}
        for descriptor in self._pipes:
            os.set_blocking(descriptor, False)
            self._loop.add_reader(descriptor, self._read, descriptor)
        self._pid_fd = os.pidfd_open(self._process.pid)
        self._loop.add_reader(self._pid_fd, self._reap)

    @property
    def pid(self) -> int:
        """The id of the process, of its group, and of its session."""
        return self._process.pid

    async def finish(self, progress: Callable[[], Progress], stall_after: float, *, thorough: bool) -> bool:
        """Wait until the child and its whole session are gone; True when it stalled and was ended.

        ``thorough``: it may have left descendants in other process groups, look for them. Raises StuckChild.
        """
        try:
            stalled = await self._watch(progress, stall_after)
            if stalled or thorough or not group_is_empty(self.pid):
                await self._clear(gentle=stalled)
        except asyncio.CancelledError:
            await _to_the_end(self._clear(gentle=True))
            raise
        finally:
            self._close()
        return stalled

    async def finish_within(self, seconds: float) -> bool:
        """Wait for the end for so long; True when it had to be killed for taking longer. Raises StuckChild."""
        late = False
        try:
            await asyncio.wait_for(self._ended.wait(), seconds)
        except TimeoutError:
            late = True
        finally:
            if not self._ended.is_set():
                await _to_the_end(self._clear(gentle=False))
            self._close()
        return late

    async def _watch(self, progress: Callable[[], Progress], stall_after: float) -> bool:
        watch = StallWatch(stall_after, self._loop.time())
        while not self._ended.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), watch.period)
                return False
            cpu = 0.0 if watch.moved(progress()) else sum(member.cpu for member in session_members(self.pid))
            if not self._ended.is_set() and watch.stuck(progress(), cpu, self._loop.time()):
                return True
        return False

    async def _clear(self, *, gentle: bool) -> None:
        """End what is left of the session: SIGTERM and a grace when ``gentle``, then SIGKILL, until all is gone."""
        if gentle and await self._gone_after(signal.SIGTERM, TERM_GRACE):
            return
        if not await self._gone_after(signal.SIGKILL, KILL_PATIENCE):
            raise StuckChild(f"Process {self.pid} does not end although it was killed.", hint="Look at its volumes.")

    async def _gone_after(self, number: signal.Signals, seconds: float) -> bool:
        deadline = self._loop.time() + seconds
        kill_session(self.pid, number)
        while session_members(self.pid) or not self._ended.is_set():
            if self._loop.time() >= deadline:
                return False
            await asyncio.sleep(0.02)
            if number == signal.SIGKILL:
                kill_session(self.pid, number)  # whoever was born in between
        return True

    def _reap(self) -> None:
        """The pidfd is readable: the child has ended, waiting for it does not block."""
        self._loop.remove_reader(self._pid_fd)
        os.close(self._pid_fd)
        _, status, usage = os.wait4(self.pid, 0)
        self.returncode = self._process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu = usage.ru_utime + usage.ru_stime
        self._ended.set()

    def _read(self, descriptor: int) -> bool:
        """Read once; False when there is nothing now, or ever again."""
        with suppress(BlockingIOError):
            data = os.read(descriptor, _CHUNK)
            if data:
                self._pipes[descriptor](data)
                return True
            self._loop.remove_reader(descriptor)
        return False

    def _close(self) -> None:
        """Take what is still in the pipes, and close them."""
        for descriptor in self._pipes:
            while self._read(descriptor):
                continue
            self._loop.remove_reader(descriptor)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()


async def _to_the_end(work: object) -> None:
    """Await ``work`` although this task is cancelled, even again and again: it is bounded, and must be complete."""
    assert asyncio.iscoroutine(work), "a coroutine"
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    task.result()
