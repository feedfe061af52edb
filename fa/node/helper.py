"""A node's own helper processes: they do what may hang for ever (a look at a mount), so that the node does not.

It is the same program with a hidden command, also from the frozen binary. It reads one JSON line per question and
writes one per answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from typing import Any

CLOSE_PATIENCE = 2.0  # seconds


LINE_BYTES_MAX = 16 << 20  # of one answer


class HelperEnded(Exception):
    """The helper process ended, or did not speak JSON; the next question starts another one."""


class Helper:
    """One process, asked again only after it has answered: what hangs in the kernel cannot be killed, and a second
    process on top of it would hang as well."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._leaving: asyncio.subprocess.Process | None = None  # killed, and perhaps still in the kernel
        self._answer: asyncio.Task[bytes] | None = None

    @property
    def busy(self) -> bool:
        """A question was asked in vain and is still not answered."""
        return self._answer is not None and not self._answer.done()

    async def ask(self, question: Any, timeout: float) -> Any:
        """Raises `TimeoutError` after `timeout` seconds (the answer to this question is then given to nobody, or, when
        the question was the same each time, to the next who asks), `HelperEnded`."""
        try:
            if self._answer is None:
                self._answer = asyncio.create_task(self._exchange(json.dumps(question).encode()))
            async with asyncio.timeout(timeout):  # not wait_for: that of Python 3.11 may lose a cancellation
                line = await asyncio.shield(self._answer)
            self._answer = None
            if not line:
                raise HelperEnded
            return json.loads(line)
        except (OSError, ValueError, HelperEnded) as error:
            if isinstance(error, TimeoutError):
                raise
            self.kill()
            raise HelperEnded from error

    def forget_answer(self) -> None:
        """Throw a late answer away."""
        if self._answer is not None and self._answer.done():
            self._answer = None

    async def _exchange(self, question: bytes) -> bytes:
        if self._leaving is not None:
            await self._leaving.wait()
            self._leaving = None
        if self._process is None or self._process.returncode is not None:
            pipe = asyncio.subprocess.PIPE
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=pipe, stdout=pipe, limit=LINE_BYTES_MAX
            )
        assert self._process.stdin and self._process.stdout, "both were asked for"
        self._process.stdin.write(question + b"\n")
        await self._process.stdin.drain()
        return await self._process.stdout.readline()

    def kill(self) -> None:
        if self._answer:
            self._answer.cancel()
            self._answer = None
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._leaving = self._process
        self._process = None

    async def close(self) -> None:
        """Kill it and wait until it is gone, but not for ever: what hangs in the kernel cannot be killed."""
        process, answer = self._process or self._leaving, self._answer
        self.kill()
        if answer:
            await asyncio.gather(answer, return_exceptions=True)
        if process:
            with contextlib.suppress(TimeoutError, OSError):
                async with asyncio.timeout(CLOSE_PATIENCE):
                    await process.communicate(b"")


def helper_command(name: str, *arguments: str) -> list[str]:
    """argv of ``fa _name ARGUMENTS…``."""
    if getattr(sys, "frozen", False):
        return [sys.executable, f"_{name}", *arguments]
    return [sys.executable, "-m", "fa.node.helper", f"_{name}", *arguments]


def main(arguments: list[str]) -> int:
    """Run a helper until its node asks no more. Ends quietly when the node is gone before it is answered."""
    try:
        return _run(arguments)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left there goes nowhere
        return 1


def _run(arguments: list[str]) -> int:
    """Heavy modules are imported by the helper that needs them."""
    name, *rest = arguments
    if name == "_volume-probe":
        from fa.node.volume_probe import main as volume_probe

        return volume_probe(*rest)
    if name == "_volume-vote":
        from fa.node.volume_vote import main as volume_vote

        return volume_vote(*rest)
    if name == "_browse":
        from fa.node.browse import main as browse

        return browse(*rest)
    if name == "_preview":
        from fa.node.preview import main as preview

        return preview(*rest)
    if name == "_scanner":
        from fa.node.scanner import main as scanner

        return scanner(*rest)
    if name == "_volume-race":
        from fa.node.volume_race import main as volume_race

        return volume_race(*rest)
    if name == "_notify":
        from fa.node.notify import main as notify

        return notify(*rest)
    if name == "_vip-guardian":
        from fa.node.vip_guardian import main as vip_guardian

        return vip_guardian(*rest)
    raise SystemExit(f"fa has no helper {name}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
