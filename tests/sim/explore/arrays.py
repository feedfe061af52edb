"""The whole array: what may happen in it next, and what the checkers say of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

from fa.core.view import Member, View
from tests.sim.checks import Checks
from tests.sim.explore.likeness import LATE, SOON
from tests.sim.explore.nodes import NAMES, Outcome, Setting, Steps, crash, die_writing, lose, meet, start, write
from tests.sim.explore.shell import Fact

# ---- what the checkers know


@dataclass(frozen=True, slots=True)
class Known:
    """`Checks`, as a value."""

    acked: tuple[Any, ...]
    acker: frozenset[tuple[int, str]]
    executed: frozenset[tuple[str, int]]
    chosen: frozenset[View]
    newest: View
    accepts: frozenset[tuple[View, Member]]

    def checks(self) -> Checks:
        checks = Checks()
        checks.acked, checks.acker, checks.executed = list(self.acked), dict(self.acker), dict(self.executed)
        checks.chosen, checks.newest = {view.epoch: view for view in self.chosen}, self.newest
        for view, voter in self.accepts:
            checks._accepts.setdefault(view, set()).add(voter)
        return checks


def known(checks: Checks) -> Known:
    assert checks.newest is not None, "an array has a view"
    accepts = frozenset((view, voter) for view, voters in checks._accepts.items() for voter in voters)
    acker, executed = frozenset(checks.acker.items()), frozenset(checks.executed.items())
    return Known(tuple(checks.acked), acker, executed, frozenset(checks.chosen.values()), checks.newest, accepts)


# ---- the whole array


@dataclass(frozen=True, slots=True)
class State:
    """The whole array: its nodes, all messages ever sent, what the checkers know, what has been used up."""

    locals: tuple[int, ...]
    net: int
    history: int
    proposals: int = 0
    writes: int = 0
    crashes: int = 0


class Search:
    """A running array and all that may become of it. A broken rule raises ``AssertionError``: of the checkers
    (``Violation``), or of the core.
    """

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.steps = Steps(setting)
        self._histories: dict[Known, int] = {}
        self._known: list[Known] = []
        checks = Checks()
        checks.found(self.steps.first)
        history = self._history(known(checks))
        self.state = self._running(history)

    def _running(self, history: int) -> State:
        """The coordinator serves, and everything that was said has arrived, in order; where one is to join, what was
        said until it served.
        """
        births = [self.steps.born(index) for index in range(len(NAMES))]
        state = State(tuple(birth.local for birth in births), 0, history)
        for _ in range(100):
            state = self._quiet(state)
            if self.steps.locals[state.locals[0]].serving:
                self.steps.forget()
                return State(state.locals, 0, state.history)
            state = self._after(state, 0, self.steps.wake(state.locals[0], LATE))
        raise AssertionError("nobody serves")

    def _quiet(self, state: State) -> State:
        """Everybody has met everybody and read everything."""
        arrived = 0
        while True:
            meeting = next((step for step in self._meetings(state)), None)
            fresh = state.net & ~arrived
            if self.setting.in_sync == "a" and self.steps.locals[state.locals[0]].serving:
                return state
            if meeting:
                state = self._after(state, meeting[1], meeting[2])
            elif fresh:
                number = (fresh & -fresh).bit_length() - 1
                arrived |= 1 << number
                index = NAMES.index(self.steps.messages[number][1])
                state = self._after(state, index, self.steps.deliver(state.locals[index], number))
            else:
                return state

    # ---- what may happen next

    def _meetings(self, state: State) -> Iterator[tuple[Any, int, Outcome]]:
        """Who is up has a link to each other one that is up; of a death, those who had a link are told, or not."""
        steps, locals_ = self.steps, state.locals
        for index, number in enumerate(locals_):
            local = steps.locals[number]
            for name, other_number in zip(NAMES, locals_, strict=True):
                other = steps.locals[other_number]
                if not local.alive or other.index == index:
                    continue
                run, up = local.peers.get(name, ("", False))
                if other.alive and run != other.hello.run:
                    key = ("meet", other.hello)
                    yield (
                        f"{NAMES[index]} meets {name}",
                        index,
                        steps.step(number, key, partial(meet, name, other.hello)),
                    )
                elif not other.alive and up and run == other.hello.run:
                    yield f"{NAMES[index]} loses {name}", index, steps.step(number, ("lose", name), partial(lose, name))

    def _readings(self, state: State) -> Iterator[tuple[Any, int, Outcome]]:
        steps, net = self.steps, state.net
        for index, number in enumerate(state.locals):
            local = steps.locals[number]
            waiting = net & steps.to[index] & ~local.idle if local.alive else 0
            while waiting:
                bit = waiting & -waiting
                waiting ^= bit
                message = bit.bit_length() - 1
                yield message, index, steps.deliver(number, message)

    def _closed(self, locals_: tuple[int, ...], net: int) -> int:
        """With all that is said without anything else changing: whatever could happen before can happen after it."""
        steps, before = self.steps, -1
        here = [(number, steps.locals[number], steps.to[index]) for index, number in enumerate(locals_)]
        while net != before:
            before = net
            for number, local, mine in here:
                if not local.alive:
                    continue
                untried = net & mine & ~local.tried
                while untried:
                    bit = untried & -untried
                    untried ^= bit
                    local.tried |= bit
                    outcome = steps.deliver(number, bit.bit_length() - 1)
                    if outcome.local == number and not outcome.facts and not outcome.proposals:
                        local.idle |= bit
                        if outcome.sent:
                            local.free[bit] = outcome.sent
                for seconds in (SOON, LATE):
                    waking = steps.wake(number, seconds)
                    if waking.local == number and not waking.facts and not waking.proposals:
                        net |= waking.sent
                for bit, sent in local.free.items():
                    if net & bit:
                        net |= sent
        return net

    def _own(self, state: State) -> Iterator[tuple[Any, int, Outcome, int, int]]:
        """What nodes do by themselves, with the writes and crashes that it uses up."""
        steps, left = self.steps, self.setting
        may_write, may_crash = state.writes < left.writes, state.crashes < left.crashes
        request = f"r{state.writes + 1}"
        for index, number in enumerate(state.locals):
            local, name = steps.locals[number], NAMES[index]
            if not local.alive:
                yield f"{name} starts", index, steps.step(number, "boot", start), 0, 0
                continue
            yield f"{name} wakes", index, steps.wake(number, SOON), 0, 0
            yield f"{name} wakes late", index, steps.wake(number, LATE), 0, 0
            if local.fetching:
                source = steps.locals[state.locals[NAMES.index(local.fetching)]]
                yield f"{name} has a copy", index, steps.fetch(number, source), 0, 0
            if local.serving and may_write:
                yield f"{name} writes", index, steps.step(number, request, partial(write, request)), 1, 0
                if may_crash:
                    key = ("dies", request)
                    yield f"{name} dies writing", index, steps.step(number, key, partial(die_writing, request)), 1, 1
            if may_crash:
                yield f"{name} dies", index, steps.step(number, "crash", crash), 0, 1

    def after(self, state: State) -> Iterator[tuple[Any, State]]:
        """Every state that may follow within the bounds, with what happened."""
        for what, index, outcome, writes, crashes in self._steps(state):
            proposals = outcome.proposals
            if state.proposals + proposals > self.setting.proposals:
                continue
            try:
                yield what, self._after(state, index, outcome, proposals, writes, crashes)
            except AssertionError as error:
                error.add_note(self.told(what))
                raise

    def _steps(self, state: State) -> Iterator[tuple[Any, int, Outcome, int, int]]:
        for what, index, outcome in (*self._readings(state), *self._meetings(state)):
            yield what, index, outcome, 0, 0
        yield from self._own(state)

    def told(self, what: Any) -> str:
        if not isinstance(what, int):
            return str(what)
        source, target, message, _ = self.steps.messages[what]
        return f"{target} reads of {source}: {message}"

    def _after(
        self, state: State, index: int, outcome: Outcome, proposals: int = 0, writes: int = 0, crashes: int = 0
    ) -> State:
        locals_ = (*state.locals[:index], outcome.local, *state.locals[index + 1 :])
        history = self._judged(state.history, locals_, outcome.facts) if outcome.facts else state.history
        return State(
            locals_,
            self._closed(locals_, state.net | outcome.sent),
            history,
            state.proposals + proposals,
            state.writes + writes,
            state.crashes + crashes,
        )

    # ---- the checkers

    def _judged(self, history: int, locals_: tuple[int, ...], facts: tuple[Fact, ...]) -> int:
        checks = self._known[history].checks()
        disks = {name: self.steps.locals[number].disk for name, number in zip(NAMES, locals_, strict=True)}
        for fact in facts:
            node: Any = SimpleNamespace(name=fact.node, disk=fact.disk)
            nodes = {name: SimpleNamespace(disk=disk) for name, disk in (disks | {fact.node: fact.disk}).items()}
            world: Any = SimpleNamespace(counts=Counter(), nodes=nodes)
            if fact.position is None:
                checks.saved(world, node)
            else:
                checks.acknowledged(world, node, fact.position)
        return self._history(known(checks))

    def _history(self, value: Known) -> int:
        number = self._histories.setdefault(value, len(self._known))
        if number == len(self._known):
            self._known.append(value)
        return number
