"""Volumes that vote, asked through their helper processes. One question at a time for each; what comes too late is
thrown away (SAFETY.md R13)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from fa.core.array_effects import WitnessCall
from fa.core.array_events import WitnessAnswer
from fa.core.array_messages import MESSAGES, Message
from fa.core.view import VOLUME_PREFIX
from fa.errors import Invalid, Unavailable
from fa.node.helper import Helper, HelperEnded, helper_command

log = logging.getLogger(__name__)


class VolumeVoters:
    """`mounts`: the volumes of this node by name."""

    def __init__(
        self, node: str, array_id: str, mounts: Mapping[str, str], timeout: float, post: Callable[[Any], None]
    ) -> None:
        self._node = node
        self._timeout = timeout
        self._post = post
        self._helpers = {
            name: Helper(helper_command("volume-vote", root, array_id, name)) for name, root in mounts.items()
        }
        self._turns = {name: asyncio.Lock() for name in mounts}
        self._tasks: set[asyncio.Task[None]] = set()

    def call(self, effect: WitnessCall) -> None:
        task = asyncio.create_task(self._call(effect))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _call(self, effect: WitnessCall) -> None:
        answer: Message | None = None
        try:
            name = effect.volume.removeprefix(VOLUME_PREFIX)
            found = await self._ask(name, [self._node, type(effect.message).__name__, effect.message])
            answer = msgspec.convert(found[1], MESSAGES[found[0]]) if found else None
        except (TimeoutError, HelperEnded, Unavailable, msgspec.ValidationError) as error:
            log.warning("volume %s gives no vote: %s", effect.volume, error or type(error).__name__)
        self._post(WitnessAnswer(effect.call, answer))

    async def enrol(self, volume: str) -> str:
        """Make the volume a voter if it is none yet; its incarnation. Raises `Invalid`, `Unavailable`."""
        if volume not in self._helpers:
            raise Invalid(f"Volume {volume} is not set up on this node.", hint="Name it with --volume NAME=PATH.")
        try:
            found = await self._ask(volume, [self._node, "Enrol", None])
        except (TimeoutError, HelperEnded) as error:
            raise Unavailable(f"Volume {volume} does not answer.") from error
        if not found:
            raise Unavailable(f"Volume {volume} cannot keep a vote; the log of this node says why.")
        return str(found[1]["incarnation"])

    async def _ask(self, name: str, question: Any) -> Any:
        helper = self._helpers.get(name)
        if helper is None:
            raise Unavailable(f"volume {name} is not set up on this node")
        async with self._turns[name]:
            helper.forget_answer()
            if helper.busy:
                raise Unavailable(f"volume {name} hangs")
            return await helper.ask(msgspec.to_builtins(question), self._timeout)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for helper in self._helpers.values():
            helper.kill()
