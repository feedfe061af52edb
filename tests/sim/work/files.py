"""The shared volume: parts and finals under their names, and what a rename does to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fa.core.model import Output
from fa.core.work import PublishResult

if TYPE_CHECKING:
    from tests.sim.work.world import World

Ended = tuple[PublishResult, str]


class Files:
    """Contents are sha256 sums. `trouble`: the share of renames whose answer is lost, before or after they happened."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.parts: dict[str, str] = {}
        self.finals: dict[str, str] = {}
        self.trouble = 0.0

    def publish(self, part: str, output: Output, replace: bool) -> Ended:
        """As `fa.node.publish`: whoever renames first wins, everybody else compares."""
        lost = self._world.rng.random() < self.trouble
        if lost and self._world.rng.random() < 0.5:
            return PublishResult.TROUBLE, "the server did not answer"
        ended = self._rename(part, output, replace)
        return (PublishResult.TROUBLE, "the server did not answer") if lost else ended

    def _rename(self, part: str, output: Output, replace: bool) -> Ended:
        there = self.finals.get(output.path)
        if there == output.sha256:
            self.parts.pop(part, None)
            return PublishResult.PUBLISHED, ""
        if part not in self.parts:
            return PublishResult.GONE, "the part is gone"
        if there is not None and not replace:
            del self.parts[part]
            return PublishResult.EXISTS, "something is there"
        self.finals[output.path] = self.parts.pop(part)
        self._world.counts["renames"] += 1
        self._world.checks.published(output.path, self.finals[output.path])
        return PublishResult.PUBLISHED, ""
