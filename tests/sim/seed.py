"""One seed, one run: it sets the shape of the array, the swarm of faults, and every toss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from fa.core.view import EPOCH_STRIDE, Member, View
from tests.sim.checks import Violation
from tests.sim.faults import Faults
from tests.sim.world import World

FAST = {"readmit_after": 0.5}
HEAL_SECONDS = 90.0


@dataclass(slots=True)
class Result:
    seed: int
    events: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    violation: str = ""
    broke: bool = False
    """By another exception than an assertion."""
    live: bool = True
    lines: list[str] = field(default_factory=list)


def run_seed(
    seed: int, trace: bool = False, prepare: Callable[[World], None] | None = None, length: float = 1.0
) -> Result:
    """Run one seed to its end; ``prepare`` may break the world (mutants of the shell). Its troubles last ``length``
    times as long as most do."""
    lines: list[str] | None = [] if trace else None
    world = World(Random(seed), lines)
    result = Result(seed, counts=world.counts, lines=[] if lines is None else lines)
    try:
        faults = build(world)
        if prepare:
            prepare(world)
        _live_through(world, faults, length)
        result.live = _recovers(world)
    except Violation as violation:
        result.violation = str(violation)
    except Exception as error:
        result.violation = f"{type(error).__name__}: {error}"
        result.broke = not isinstance(error, AssertionError)
    result.events = world.events
    return result


def _live_through(world: World, faults: Faults, length: float) -> None:
    rng = world.rng
    for name in sorted(world.nodes):
        world.boot(name)
    faults.choose()
    world.run(rng.uniform(0.5, 3.0))
    world.clients.start()
    world.jobs.start()
    faults.start()
    world.run(rng.uniform(12.0, 25.0) * length)
    faults.stop()


def _recovers(world: World) -> bool:
    """After healing, a coordinator acknowledges a new request and has a secondary again, within some time."""
    start, request = world.now, ""
    while world.now - start < HEAL_SECONDS:
        world.run(world.now + 1.0)
        if not request and world.serving():
            request = world.clients.start_one()
        newest = world.checks.newest
        if request and request not in world.clients.open and newest and newest.secondaries():
            world.counts["heal-seconds"] += int(world.now - start)
            world.checks.final(world, world.nodes[newest.coordinator])
            return True
    return False


# ---- shapes of arrays


def build(world: World) -> Faults:
    rng = world.rng
    faults = Faults(world)
    shape = rng.choice(SHAPES)
    settings: dict[str, object] = dict(FAST)
    settings["mirrors"] = rng.choice((1, 1, 1, 2))
    settings["min_insync"] = rng.choice((1, 1, 1, 2))
    if rng.random() < 0.3:
        settings["slow_after"] = 1.0
    shape(world, faults, settings)
    world.clients.rate = rng.choice((1.0, 3.0, 8.0))
    world.clients.read_rate = rng.choice((0.0, 1.0))
    world.jobs.rate = rng.choice((0.0, 2.0))
    return faults


def _found(world: World, data: str, voters: list[Member], in_sync: int) -> None:
    members = [Member(name, f"{name}.1") for name in data]
    view = View(EPOCH_STRIDE, "a", tuple(members[:in_sync]), tuple(voters), tuple(voters))
    world.found(view)


def _data(world: World, names: str, settings: dict[str, object]) -> list[Member]:
    for name in names:
        rank = world.rng.choice((0, 0, 1))
        world.add_node(name, len(world.nodes), rank=rank, **settings)  # type: ignore[arg-type]
    return [Member(name, f"{name}.1") for name in names]


def _witness(world: World, name: str, settings: dict[str, object]) -> Member:
    world.add_node(name, len(world.nodes), kind="witness", **settings)  # type: ignore[arg-type]
    return Member(name, f"{name}.1")


def two_and_witness(world: World, faults: Faults, settings: dict[str, object]) -> None:
    data = _data(world, "ab", settings)
    voters = [*data, _witness(world, "w", settings)]
    faults.spares.append(_witness(world, "x", settings))
    _found(world, "ab", voters, world.rng.randint(1, 2))


def two_and_volume(world: World, faults: Faults, settings: dict[str, object]) -> None:
    data = _data(world, "ab", settings)
    voters = [*data, world.add_volume("volume:san")]
    faults.spares.append(_witness(world, "x", settings))
    _found(world, "ab", voters, world.rng.randint(1, 2))


def three(world: World, faults: Faults, settings: dict[str, object]) -> None:
    data = _data(world, "abc", settings)
    faults.spares.append(_witness(world, "x", settings))
    _found(world, "abc", data, world.rng.randint(1, 3))


def four_and_witness(world: World, faults: Faults, settings: dict[str, object]) -> None:
    data = _data(world, "abcd", settings)
    voters = [*data[:2], _witness(world, "w", settings)]
    faults.newcomers.extend(data[2:])
    _found(world, "abcd", voters, world.rng.randint(1, 3))


def growing(world: World, faults: Faults, settings: dict[str, object]) -> None:
    data = _data(world, "abcde", settings)
    faults.newcomers.extend(data[1:])
    settings["min_insync"] = 1
    _found(world, "a", data[:1], 1)


def two_alone(world: World, faults: Faults, settings: dict[str, object]) -> None:
    data = _data(world, "ab", settings)
    _found(world, "ab", data, world.rng.randint(1, 2))


SHAPES = (two_and_witness, two_and_volume, three, three, four_and_witness, growing, two_alone)
