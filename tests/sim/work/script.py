"""Stories of the jobs: see ``tests.sim.story``.

A line ``1.250 b: Publish 1-1`` reads "at 1.25 s node b asked for the rename of attempt 1 of task 1". What nodes do has
the names of `fa.node.failpoints`, so that ``die b before Publish`` is the ``FA_FAILPOINT`` of the same words. Offers,
beats and orders that are heard are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from fa.core import commands as c
from fa.core import work as w
from fa.core.model import NewJob, NodeMode, NodeRow, NodeView
from fa.core.work_messages import Key
from fa.node.failpoints import point
from tests.sim.story import Story
from tests.sim.work.node import Node
from tests.sim.work.seed import FACTORIES, OFFERS
from tests.sim.work.world import World

VOLUME = "volume:san"
PARTS = "san:.fa/part/"


class JobScript(Story):
    """A story of the jobs."""

    def __init__(self) -> None:
        self.world = StoryWorld()
        super().__init__(self.world)

    # ---- the array

    def _do_crew(self, *words: str) -> None:
        """``crew a/0 b c``: nodes with one slot each, or so many; the first one leads."""
        world = self.world
        world.epoch = 1
        world.store.change_hands("", 1)
        for text in FACTORIES:
            world.store.execute(c.SaveFactory(text, 1))
        slots = {name: int(count or 1) for name, _, count in (word.partition("/") for word in words)}
        for index, name in enumerate(slots):
            world.nodes[name] = StoryNode(world, NodeView(name, (("cpu", slots[name]),), offers=OFFERS))
            world.store.execute(c.PutNode(NodeRow(name, NodeMode.UP, f"https://{name}", 1, index=index), 1))
        for name in slots:
            world.nodes[name].start()
        world.lead(next(iter(slots)))

    def _do_lead(self, name: str, kept: str = "") -> None:
        """``name`` takes over; ``kept``: with what the one before it had on its way to the store."""
        self.world.rng.high = kept == "kept"
        self.world.lead(name)

    def _do_advance(self, seconds: str) -> None:
        self.world.run(self.world.now + float(seconds))

    # ---- what goes wrong

    def _do_die(self, name: str, *words: str) -> None:
        """``die b after Publish``: kill -9, the next time that it comes there; ``… 2``: the second time."""
        self._hurt(name).await_point(words, self._node(name).die)

    def _do_stop(self, name: str, *words: str) -> None:
        """``stop b after Publish``: SIGSTOP there. Its program stands still, and what comes for it waits."""
        self._hurt(name).await_point(words, lambda: self._node(name).pause(True))

    def _do_until(self, name: str) -> None:
        """Until it came to the point at which it was to die or to stop, and not a moment longer."""
        while self._node(name).point:
            self.world.run(self.world.next_at)

    def _do_crash(self, name: str) -> None:
        self._hurt(name).crash()

    def _do_boot(self, name: str) -> None:
        self._hurt(name).start()

    def _do_wake(self, name: str) -> None:
        self._hurt(name).pause(False)

    def _do_remove(self, part: str) -> None:
        """Somebody takes a part away, by its contents."""
        self.world.files.parts = {name: held for name, held in self.world.files.parts.items() if held != part}

    def _do_volume(self, name: str, state: str = "") -> None:
        """``volume b foreign``: what b sees of the volume; without a state it is sound again."""
        node = self._hurt(name)
        node.seen = state
        node.offer()

    def _hurt(self, name: str) -> StoryNode:
        self.world.checks.touched.add(name)
        return self._node(name)

    def _node(self, name: str) -> StoryNode:
        return self.world.node(name)

    # ---- what people do, and what is there

    def _do_submit(self, factory: str = "one") -> None:
        at = self.world.moment().wall
        number = len(self.world.checks.jobs) + 1
        command = c.SubmitJobs((NewJob(f"san:in/{number}.mxf", factory),), at, key=f"key{number}", digest="")
        self.world.clients._ask(command, f"key{number}")

    def _do_look(self) -> None:
        """What the store says of the newest task, and what lies on the volume of it; when all is over, whether all is
        right.
        """
        tables, files, number = self.world.store.tables, self.world.files, self.world.checks.tasks[-1]
        task = tables.task(number)
        assert task is not None, "a task of the story is in the store"
        attempts = [tables.attempt(number, each) for each in range(1, task.attempt + 1)]
        states = ", ".join(f"{each.node} {each.state.value}" for each in attempts if each)
        final = files.finals.get(task.destination, "none")
        parts = sorted(held or "half" for part, held in files.parts.items() if part.startswith(f"{PARTS}{number}-"))
        self.world.lines.append(f"  task {number} {task.state.value}: {states or 'nobody has it'}")
        self.world.lines.append(f"  file: {final}; parts: {', '.join(parts) or 'none'}")
        if not self.world.checks.unfinished():
            self.world.checks.final()


class Steady(Random):
    """No chance: the middle of every range, the first of every choice; ``high``: the upper end of counts."""

    high = False

    def random(self) -> float:
        return 0.5

    def choice(self, seq: Any) -> Any:
        return seq[0]

    def randint(self, a: int, b: int) -> int:
        return b if self.high else a


class StoryWorld(World):
    """A world without chance, and a trace that a person reads."""

    rng: Steady

    def __init__(self) -> None:
        super().__init__(Steady(1))

    def node(self, name: str) -> StoryNode:
        node = self.nodes[name]
        assert isinstance(node, StoryNode), "all nodes of a story are the story's"
        return node

    @property
    def next_at(self) -> float:
        """When something happens next."""
        return self._heap[0][0]

    def say(self, text: str) -> None:
        if text.startswith("-- "):
            self.note(text[3:])

    def note(self, text: str) -> None:
        self.lines.append(f"{self.now:.3f} {text}")


class Dead(Exception):
    """The node came to the point where it was to die."""


class StoryNode(Node):
    """``point``: where something is to happen to it; ``seen``: what is wrong with its volume."""

    _world: StoryWorld

    def __init__(self, world: StoryWorld, view: NodeView) -> None:
        super().__init__(world, view)
        self.point = self.seen = ""
        self._times, self._fate = 1, self.die

    def await_point(self, words: tuple[str, ...], fate: Callable[[], None]) -> None:
        *name, times = words if words[-1].isdigit() else (*words, "1")
        self.point, self._times, self._fate = " ".join(name), int(times), fate

    def die(self) -> None:
        raise Dead

    def offer(self) -> None:
        ill = ((VOLUME, self.seen),) if self.seen else ()
        offers = self.view.offers - {word for word, _ in ill}
        view = NodeView(self.name, self.view.slots, offers=offers, unhealthy=ill)
        self.post(w.OfferChanged(view, f"https://{self.name}", "1"))

    def _drain(self) -> None:
        try:
            super()._drain()
        except Dead:
            self.crash()

    def _perform(self, effect: Any) -> None:
        if not self.alive:
            return
        self._reach("before", effect)
        told = _told(effect)
        if told:
            self._world.note(f"{self.name}: {told}")
        super()._perform(effect)
        self._reach("after", effect)

    def _publish(self, effect: w.Publish, boot: int) -> None:
        """Where its volume is in trouble, nothing can be renamed, and nothing be said of what is there."""
        if self.seen:
            self.post(w.PublishEnded(effect.task, effect.attempt, w.PublishResult.TROUBLE, self.seen))
        else:
            super()._publish(effect, boot)

    def _reach(self, when: str, effect: Any) -> None:
        if self.point and self.point == point(when, effect):
            self._times -= 1
            if not self._times:
                self.point = ""
                self._fate()

    def post(self, event: Any) -> None:
        if isinstance(event, w.PublishEnded):
            self._world.note(f"{self.name}: the rename of {_key((event.task, event.attempt))} ends, {event.result}")
        super().post(event)


def _told(effect: Any) -> str:
    """What is worth a line; the names are those of failpoints."""
    name = point("", effect)
    match effect:
        case w.Commit(_, command):
            return f"{name} {_subject(command)}".rstrip() if type(command) in SHOWN else ""
        case w.Tell(to, w.Report(_, task, attempt, kind)):
            return f"{name} {_key((task, attempt))} {kind.value} to {to}"
        case w.Tell(to, w.Grant(task, attempt) | w.Stop(task, attempt)):
            return f"{name} {_key((task, attempt))} to {to}"
        case w.Publish(task, attempt) | w.StopAttempt(task, attempt):
            return f"{name} {_key((task, attempt))}"
        case w.StartAttempt(order):
            return f"{name} {_key((order.task, order.attempt))}"
        case w.KeepReport(report):
            return f"{name} {_key(report.key)}"
    return ""


SHOWN = (c.AskPublish, c.FinishAttempt, c.FailAttempt, c.GiveAway, c.Unsettle, c.RaiseAlert)


def _subject(command: Any) -> str:
    if isinstance(command, c.RaiseAlert):
        return f"{command.kind}: {command.text}"
    keys = command.attempts if isinstance(command, c.GiveAway) else ((command.task, command.attempt),)
    return ", ".join(map(_key, keys))


def _key(key: Key) -> str:
    return f"{key[0]}-{key[1]}"
