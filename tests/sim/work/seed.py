"""One seed, one run: the shape of the array, the swarm of faults, and every toss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from fa.core import commands as c
from fa.core.model import NodeMode, NodeRow, NodeView, Reserve
from fa.core.recipe import known_encoders, known_filters
from tests.sim.work.checks import Violation
from tests.sim.work.faults import Faults
from tests.sim.work.node import Node
from tests.sim.work.world import World

HEAL_SECONDS = 900
QUEUE_PER_NODE = 15  # tasks at most, so that all can end within that
OFFERS = frozenset(
    {"volume:san", "source:san"}
    | {f"encoder:{name}" for name in known_encoders()}
    | {f"filter:{name}" for name in known_filters()}
)
PRODUCT = '[[products]]\nname = "{0}"\npreset = "h264-mp4"\ndestination = "san:out/{{job}}-{{product}}"\n'
FACTORIES = (
    f'name = "one"\n{PRODUCT.format("p")}',
    f'name = "two"\npriority = "high"\n{PRODUCT.format("p")}{PRODUCT.format("q")}',
    f'name = "big"\n{PRODUCT.format("p")}cost = 2\n',
    f'name = "again"\nreplace = true\n{PRODUCT.format("p")}',
)


WIDE = tuple(
    f'name = "{kind}-{cost}"\n{PRODUCT.format("p")}cost = {cost}\nslot = "{kind}"\n'
    for cost in (2, 3, 4)
    for kind in ("cpu", "gpu")
)
RESERVES = ((), (Reserve(75, 1),), (Reserve(75, 4),), (Reserve(75, 4), Reserve(75, 4, "gpu")))


@dataclass(slots=True)
class Result:
    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    violation: str = ""
    lines: list[str] = field(default_factory=list)


def run_seed(seed: int, trace: bool = False, prepare: Callable[[World], None] | None = None) -> Result:
    """Run one seed to its end; `prepare` may break the world (mutants)."""
    world = World(Random(seed), trace)
    result = Result(seed, world.counts, lines=world.lines)
    try:
        build(world)
        if prepare:
            prepare(world)
        _live_through(world)
        _end(world)
    except Violation as violation:
        result.violation = str(violation)
    except AssertionError as error:
        result.violation = f"assert: {error}"
    return result


def build(world: World) -> None:
    world.wide = world.rng.random() < 0.4
    for view in _wide(world.rng) if world.wide else _plain(world.rng):
        world.nodes[view.name] = Node(world, view)
    world.epoch = 1
    world.store.change_hands("", 1)
    for text in FACTORIES + (WIDE if world.wide else ()):
        world.store.execute(c.SaveFactory(text, 1))
    for index, name in enumerate(sorted(world.nodes)):
        world.store.execute(c.PutNode(NodeRow(name, NodeMode.UP, f"https://{name}", 1, index=index), 1))


def _plain(rng: Random) -> Iterator[NodeView]:
    for name in "abcde"[: rng.choice((1, 2, 3, 3, 4, 5))]:
        slots = rng.choice((1, 2, 2, 4))
        reserve = (Reserve(75, 1),) if rng.random() < 0.2 and slots > 2 else ()
        yield NodeView(name, (("cpu", max(2, slots)),), offers=OFFERS, reserve=reserve)


def _wide(rng: Random) -> Iterator[NodeView]:
    """Two classes of slots, and reserves of any size; node a can do whatever is asked."""
    yield NodeView("a", (("cpu", 4), ("gpu", 4)), offers=OFFERS)
    for name in "bcd"[: rng.choice((1, 2, 2, 3))]:
        slots = (("cpu", rng.choice((1, 2, 4))), ("gpu", rng.choice((0, 2, 4))))
        yield NodeView(name, slots, offers=OFFERS, reserve=rng.choice(RESERVES))


def _live_through(world: World) -> None:
    rng = world.rng
    faults = Faults(world)
    for name in sorted(world.nodes):
        world.nodes[name].start()
    world.lead("a")
    world.run(rng.uniform(0.5, 2.0))
    faults.choose()
    faults.start()
    every = rng.choice((0.3, 1.0, 3.0))
    end = world.now + rng.uniform(30.0, 60.0)
    while world.now < end:
        if world.checks.unfinished() < QUEUE_PER_NODE * len(world.nodes):
            world.clients.submit()
        if rng.random() < faults.meddling:
            world.clients.meddle()
        world.run(world.now + rng.expovariate(1 / every))
    faults.stop()


def _end(world: World) -> None:
    """After healing every job comes to its end."""
    start = world.now
    while world.now - start < HEAL_SECONDS:
        world.clients.settle()
        world.run(world.now + 20.0)
        if not world.clients.waiting and not world.checks.unfinished():
            world.checks.final()
            return
    states = Counter(world.store.tables.task(task).state.value for task in world.checks.tasks)  # type: ignore[union-attr]
    raise Violation(f"not everything came to an end: {dict(states)}, requests wait: {world.clients.waiting}")
