"""The job store as all copies hold it: commands of the one who leads are carried out in order, and answered later."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from fa.core import work as w
from fa.core.commands import BeginEpoch, Command
from fa.core.ledger import Ledger, Outcome
from fa.core.position import EMPTY
from fa.errors import FaError, StoreFull, Unavailable
from fa.node.active import active_of
from fa.store.memory import MemoryTables

if TYPE_CHECKING:
    from tests.sim.work.world import World


class Store:
    """`slow`: seconds until a command is carried out, at most; `trouble`: the share of commits that the disk refuses;
    `stalled`: nothing is acknowledged at present."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.tables = MemoryTables()
        self.ledger = Ledger(self.tables)
        self.owner = ""
        self.epoch = 0
        self.slow = 0.02
        self.trouble = 0.0
        self.stalled = False
        self._queue: deque[w.Commit | w.LoadActive] = deque()
        self._answers: deque[w.Carried | w.ActiveLoaded] = deque()
        self._reign = 0

    def ask(self, node: str, effect: w.Commit | w.LoadActive) -> None:
        """Of a node that is not, or no longer, the one who leads, nothing is taken and nothing answered."""
        if node == self.owner:
            self._queue.append(effect)
            self._world.after(self._world.rng.uniform(0.0, self.slow), self._work, self._reign)

    def withdraw(self, node: str, tag: int) -> None:
        """Not to be begun any more; one that was begun goes its way."""
        kept = deque(effect for effect in self._queue if isinstance(effect, w.LoadActive) or effect.tag != tag)
        if node == self.owner and len(kept) < len(self._queue):
            self._queue = kept
            self._world.counts["withdrawn"] += 1
            self._answers.append(w.Carried(tag, Unavailable(), EMPTY))
            self._answer_later(self._reign)

    def change_hands(self, owner: str, epoch: int) -> None:
        for _ in range(self._world.rng.randint(0, len(self._queue))):
            self._carry_out()
            self._world.counts["kept unanswered"] += 1
        self._queue.clear()
        self._answers.clear()
        self.owner, self.epoch = owner, epoch
        self._reign += 1
        self.execute(BeginEpoch(epoch, owner, self._world.moment().wall))

    def execute(self, command: Command) -> Outcome | FaError:
        mark = self.tables.mark()
        try:
            outcome = self.ledger.apply(command)
        except FaError as error:
            self.tables.rollback(mark)
            return error
        self._world.checks.changed(command, outcome)
        return outcome

    def _work(self, reign: int) -> None:
        if reign != self._reign or not self._queue:
            return
        self._carry_out()
        self._answer_later(reign)

    def _carry_out(self) -> None:
        effect = self._queue.popleft()
        if isinstance(effect, w.LoadActive):
            self._answers.append(active_of(self.tables))
        elif self._world.rng.random() < self.trouble:
            self._answers.append(w.Carried(effect.tag, StoreFull(), EMPTY))
        else:
            self._answers.append(w.Carried(effect.tag, self.execute(effect.command), EMPTY))

    def _answer_later(self, reign: int) -> None:
        self._world.after(self._world.rng.uniform(0.001, 0.1), self._answer, reign)

    def _answer(self, reign: int) -> None:
        if reign != self._reign or not self._answers:
            return
        if self.stalled:
            self._answer_later(reign)
            return
        node = self._world.nodes[self.owner]
        if node.alive:
            node.post(self._answers.popleft())
