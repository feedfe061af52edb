"""All that the dashboard knows of the array, and how it is kept: what to ask for, and what each event makes old."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fa.client import calls
from fa.client.calls import Call
from fa.tui.mirror import Mirror, TakeOver, read_history, read_mirror
from fa.tui.values import (
    Alert,
    Event,
    Factory,
    Job,
    Me,
    Monitor,
    Node,
    Progress,
    Status,
    Task,
    Volume,
    read,
    read_list,
)

SAMPLES = 240  # of speed per task, one a second while it runs
DELAYS = 300  # of the commit delay: ten minutes, at one in two seconds
RUNNING_MAX = 200
EVENTS = 200


class Sample(NamedTuple):
    """How fast a task ran at a moment (seconds of a steady clock)."""

    at: float
    fps: float
    speed: float


@dataclass(slots=True)
class Link:
    """The live stream: open or not, to which node, and since when (steady clock) nothing was heard."""

    live: bool = False
    node: str = ""
    heard: float = 0.0
    why: str = "connecting"

    def broke(self, why: str, now: float) -> None:
        """The stream ended, or could not be opened again; what is known grows old from when it was open last."""
        self.heard = now if self.live else self.heard
        self.live, self.why = False, why

    def silence(self, now: float) -> float:
        """Seconds since the array was last heard; 0 while the stream is open."""
        return 0.0 if self.live else max(0.0, now - self.heard)


@dataclass(slots=True)
class World:
    status: Status = field(default_factory=Status)
    me: Me = field(default_factory=Me)
    nodes: tuple[Node, ...] = ()
    factories: tuple[Factory, ...] = ()
    monitors: tuple[Monitor, ...] = ()
    volumes: tuple[Volume, ...] = ()
    mirror: Mirror = field(default_factory=Mirror)
    history: tuple[TakeOver, ...] = ()
    events: tuple[Event, ...] = ()
    alerts: tuple[Alert, ...] = ()
    running: tuple[Job, ...] = ()
    progress: dict[int, Progress] = field(default_factory=dict)
    samples: dict[int, deque[Sample]] = field(default_factory=dict)
    delays: deque[float] = field(default_factory=lambda: deque(maxlen=DELAYS))
    link: Link = field(default_factory=Link)
    known: set[str] = field(default_factory=set)
    troubles: dict[str, str] = field(default_factory=dict)  # source → why it could not be read
    old: set[str] = field(default_factory=set)

    def told(self, source: str, answer: Any) -> None:
        """Take an answer in. Raises `BadAnswer` for what cannot be read; then nothing has changed."""
        SOURCES[source].take(self, answer)
        self.known.add(source)
        self.troubles.pop(source, None)

    def heard(self, topic: str, data: Any, now: float) -> None:
        """An event of the stream: what it makes old is asked for again, at the next tick."""
        self.old |= set(MAKES_OLD.get(topic, ()))
        if topic == "progress" and isinstance(data, Mapping):
            self._moved(data, now)

    def everything_is_old(self) -> None:
        self.old |= set(SOURCES)

    def _moved(self, data: Mapping[str, Any], now: float) -> None:
        self.progress = {int(task): read(Progress, told) for task, told in data.items() if str(task).isdigit()}
        for task, told in self.progress.items():
            if told.fps or told.speed:
                row = self.samples.setdefault(task, deque(maxlen=SAMPLES))
                row.append(Sample(now, told.fps or 0.0, told.speed or 0.0))
        while len(self.samples) > RUNNING_MAX:
            self.samples.pop(next(iter(self.samples)))

    def progress_of(self, task: Task) -> Progress:
        """The newest of what the stream and the job itself say."""
        live = self.progress.get(task.id)
        if live is not None and task.state in ("running", "publishing"):
            return live
        return Progress(task.phase or "", task.progress or 0.0, task.fps, task.speed, task.eta)


class Source(NamedTuple):
    """Where a part of the world comes from, and the CLI that shows the same."""

    call: Call
    take: Callable[[World, Any], None]
    cli: str


def _status(world: World, told: Any) -> None:
    world.status = read(Status, told)


def _me(world: World, told: Any) -> None:
    world.me = read(Me, told)


def _nodes(world: World, told: Any) -> None:
    world.nodes = read_list(Node, told)


def _factories(world: World, told: Any) -> None:
    world.factories = read_list(Factory, told)


def _monitors(world: World, told: Any) -> None:
    world.monitors = read_list(Monitor, told)


def _volumes(world: World, told: Any) -> None:
    world.volumes = read_list(Volume, told)


def _mirror(world: World, told: Any) -> None:
    world.mirror = read_mirror(told)
    world.delays.append(world.mirror.commit_ms)


def _history(world: World, told: Any) -> None:
    world.history = read_history(told)


def _events(world: World, told: Any) -> None:
    world.events = tuple(sorted(read_list(Event, told), key=lambda event: -event.id))


def _alerts(world: World, told: Any) -> None:
    world.alerts = read_list(Alert, told)


def _running(world: World, told: Any) -> None:
    world.running = read_list(Job, told)


SOURCES: dict[str, Source] = {
    "status": Source(calls.status(), _status, "fa status"),
    "me": Source(calls.me(), _me, "fa api GET /v1/me"),
    "nodes": Source(calls.list_nodes(), _nodes, "fa nodes"),
    "factories": Source(calls.list_factories(), _factories, "fa factories"),
    "monitors": Source(calls.list_monitors(), _monitors, "fa monitors"),
    "volumes": Source(calls.list_volumes(), _volumes, "fa volume list"),
    "mirror": Source(calls.mirror(), _mirror, "fa mirror status"),
    "history": Source(calls.mirror_history(), _history, "fa mirror history"),
    "events": Source(calls.list_events(limit=EVENTS), _events, "fa events"),
    "alerts": Source(calls.list_alerts(), _alerts, "fa alerts"),
    "running": Source(calls.list_jobs(q="state:running", limit=RUNNING_MAX), _running, "fa jobs state:running"),
}

MAKES_OLD = {
    "job": ("status", "running", "nodes"),
    "node": ("status", "nodes", "volumes", "monitors"),
    "mirror": ("status", "mirror", "history", "nodes"),
    "alert": ("status", "alerts"),
    "event": ("status", "events", "monitors", "factories"),
}
