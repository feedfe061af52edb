"""A child process on the event loop: started in its own session, read, watched, ended, reaped.

Everything is woken by descriptors: the two pipes, and what tells of its end. There is no thread and no timer per child
but the one of the stall watch.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress

from fa.transcode.errors import Transient
from fa.transcode.launching import Start
from fa.transcode.progress import Progress
from fa.transcode.sandbox import Limits, Sandbox, child_environment
from fa.transcode.session import Member, group_is_empty, kill_session, session_members
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
        sandbox: Sandbox,
        limits: Limits,
        *,
        on_output: Callable[[bytes], None],
        on_log: Callable[[bytes], None],
        contain: bool = False,
        cwd: str = "",
        pass_fds: tuple[int, ...] = (),
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.pid = 0
        self.returncode = 0
        self.cpu = 0.0
        self._begun = asyncio.Event()
        self._ended = asyncio.Event()
        output, log = os.pipe(), os.pipe()
        self._pipes, self._on_log = {output[0]: on_output, log[0]: on_log}, on_log  # those that are open
        try:
            start = Start(argv, child_environment(), output[1], log[1], cwd, pass_fds)
            sandbox.start(start, limits, self, contain=contain)
        except BaseException:
            self._close_pipes()
            raise
        finally:
            os.close(output[1])
            os.close(log[1])
        for descriptor in self._pipes:
            os.set_blocking(descriptor, False)
            self._loop.add_reader(descriptor, self._read, descriptor)

    def began(self, pid: int) -> None:
        """``pid``: the id of the process, of its group, and of its session."""
        self.pid = pid
        self._begun.set()

    def ended(self, returncode: int, cpu: float, why: str = "") -> None:
        """It was waited for. ``why``: it could not begin."""
        self.returncode, self.cpu = returncode, cpu
        if why:
            self._on_log(f"{why}\n".encode())
        self._begun.set()
        self._ended.set()

    async def finish(self, progress: Callable[[], Progress], stall_after: float, *, thorough: bool) -> bool:
        """Wait until the child and its whole session are gone; True when it stalled and was ended.

        ``thorough``: it may have left descendants in other process groups, look for them. Raises StuckChild.
        """
        try:
            stalled = await self._watch(progress, stall_after)
            if stalled or thorough or not self._alone():
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
            async with asyncio.timeout(seconds):
                await self._ended.wait()
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
                async with asyncio.timeout(watch.period):
                    await self._ended.wait()
                return False
            cpu = 0.0 if watch.moved(progress()) else sum(member.cpu for member in self._members())
            if not self._ended.is_set() and watch.stuck(progress(), cpu, self._loop.time()):
                return True
        return False

    def _alone(self) -> bool:
        return self.pid == 0 or group_is_empty(self.pid)

    def _members(self) -> list[Member]:
        """Of its session; session 0 is that of everybody whom no other one holds."""
        return session_members(self.pid) if self.pid else []

    async def _clear(self, *, gentle: bool) -> None:
        """End what is left of the session: SIGTERM and a grace when ``gentle``, then SIGKILL, until all is gone."""
        try:
            async with asyncio.timeout(KILL_PATIENCE):
                await self._begun.wait()
        except TimeoutError:
            raise StuckChild("A child was asked for and neither began nor failed.", hint="Look at the node.") from None
        if self.pid == 0:
            return  # it could not begin
        if gentle and await self._gone_after(signal.SIGTERM, TERM_GRACE):
            return
        if not await self._gone_after(signal.SIGKILL, KILL_PATIENCE):
            raise StuckChild(f"Process {self.pid} does not end although it was killed.", hint="Look at its volumes.")

    async def _gone_after(self, number: signal.Signals, seconds: float) -> bool:
        deadline = self._loop.time() + seconds
        kill_session(self.pid, number)
        while self._members() or not self._ended.is_set():
            if self._loop.time() >= deadline:
                return False
            await asyncio.sleep(0.02)
            if number == signal.SIGKILL:
                kill_session(self.pid, number)  # whoever was born in between
        return True

    def _read(self, descriptor: int) -> bool:
        """Read once; False when there is nothing now, or ever again: then it is closed."""
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return False
        if data:
            self._pipes[descriptor](data)
        else:
            self._close_pipe(descriptor)
        return bool(data)

    def _close(self) -> None:
        """Take what is still in the pipes, and close them."""
        for descriptor in list(self._pipes):
            while self._read(descriptor):
                continue
        self._close_pipes()

    def _close_pipes(self) -> None:
        for descriptor in list(self._pipes):
            self._close_pipe(descriptor)

    def _close_pipe(self, descriptor: int) -> None:
        del self._pipes[descriptor]
        self._loop.remove_reader(descriptor)
        os.close(descriptor)


async def _to_the_end(work: object) -> None:
    """Await ``work`` although this task is cancelled, even again and again: it is bounded, and must be complete."""
    assert asyncio.iscoroutine(work), "a coroutine"
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    task.result()
