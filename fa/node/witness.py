"""Volumes that vote, asked through their helper processes. One question at a time for each; what comes too late is
thrown away (SAFETY.md R13)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from fa.core.array_effects import WitnessCall
from fa.core.array_events import WitnessAnswer
from fa.core.array_messages import MESSAGES, Message
from fa.core.view import VOLUME_PREFIX
from fa.errors import Invalid, Unavailable
from fa.node.helper import Helper, HelperEnded, helper_command
from fa.node.volume_vote import NoVote

log = logging.getLogger(__name__)


class VolumeVoters:
    """`mounts`: the volumes of this node by name; `memory`: a folder for what this node has seen of each."""

    def __init__(
        self,
        node: str,
        array_id: str,
        mounts: Mapping[str, str],
        memory: Path,
        timeout: float,
        post: Callable[[Any], None],
    ) -> None:
        self._node = node
        self._timeout = timeout
        self._post = post
        self._helpers = {
            name: Helper(helper_command("volume-vote", root, array_id, name, str(memory / f"volume-{name}.json")))
            for name, root in mounts.items()
        }
        self._turns = {name: asyncio.Lock() for name in mounts}
        self._tasks: set[asyncio.Task[None]] = set()
        self._said: dict[str, str] = {}  # what the log has of each, so that it has it once
        self.refused = asyncio.Event()  # one gave no vote

    @property
    def volumes(self) -> frozenset[str]:
        return frozenset(self._helpers)

    def call(self, effect: WitnessCall) -> None:
        task = asyncio.create_task(self._call(effect))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _call(self, effect: WitnessCall) -> None:
        answer: Message | None = None
        name, why = effect.volume.removeprefix(VOLUME_PREFIX), ""
        try:
            found = await self._ask(name, [self._node, type(effect.message).__name__, effect.message])
            answer = msgspec.convert(found[1], MESSAGES[found[0]]) if found else None
        except (TimeoutError, HelperEnded, NoVote, Unavailable, msgspec.ValidationError) as error:
            why = str(error) or type(error).__name__
        self._say(name, why)
        self._post(WitnessAnswer(effect.call, answer))

    def _say(self, name: str, why: str) -> None:
        before, self._said[name] = self._said.get(name, ""), why
        if why and why != before:
            self.refused.set()
            log.warning("volume %s gives no vote: %s", name, why)

    async def enrol(self, volume: str) -> str:
        """Make the volume a voter if it is none that can be believed; its incarnation. Raises `Invalid`,
        `Unavailable`."""
        return await self._have(volume, "Enrol")

    async def renew(self, volume: str) -> str:
        """Make it another voter, which has promised nothing; its incarnation. Raises `Invalid`, `Unavailable`."""
        return await self._have(volume, "Renew")

    async def _have(self, volume: str, what: str) -> str:
        if volume not in self._helpers:
            raise Invalid(f"Volume {volume} is not set up on this node.", hint="Name it with --volume NAME=PATH.")
        try:
            return await self._incarnation(volume, what)
        except (TimeoutError, HelperEnded) as error:
            raise Unavailable(f"Volume {volume} does not answer.") from error
        except NoVote as error:
            raise Unavailable(error.detail, hint="`fa volume list` says how the nodes see it.") from error

    async def look(self, volume: str) -> str:
        """The incarnation of a vote that could be cast now. Raises `NoVote`; `TimeoutError`, `HelperEnded` and
        `Unavailable` when that cannot be told."""
        return await self._incarnation(volume, "Look")

    async def _incarnation(self, volume: str, what: str) -> str:
        found = await self._ask(volume, [self._node, what, None])
        return str(found[1]["incarnation"])

    async def _ask(self, name: str, question: Any) -> Any:
        helper = self._helpers.get(name)
        if helper is None:
            raise Unavailable(f"volume {name} is not set up on this node")
        async with self._turns[name]:
            helper.forget_answer()
            if helper.busy:
                raise Unavailable(f"volume {name} hangs")
            found = await helper.ask(msgspec.to_builtins(question), self._timeout)
        if found and found[0] == NoVote.__name__:
            raise NoVote(found[1]["why"])
        return found

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for helper in self._helpers.values():
            helper.kill()
