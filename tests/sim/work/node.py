"""One node: the real machine (dispatcher and worker, behind its real routing), with processes and disk as the seed has
them. The array core is a stub that says what the world decided."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fa.core import array_effects as ae
from fa.core import array_events as av
from fa.core import work as w
from fa.core.commands import Order
from fa.core.dispatcher import Dispatcher
from fa.core.machine import Machine
from fa.core.model import Cause, NodeView, Output
from fa.core.worker import Worker

if TYPE_CHECKING:
    from tests.sim.work.world import World

LOST_AFTER, ORPHAN_AFTER = 3.0, 30.0
TROUBLES = {Cause.OTHER: "encoder died", Cause.VIEW: "{} does not see it", Cause.ROOM: "full"}
CAUSES = tuple(TROUBLES)


class Stub:
    """Stands for `fa.core.array.Array`: gives back what it was told to say."""

    deadline = None

    def __init__(self) -> None:
        self.effects: list[Any] = []

    def step(self, event: Any, now: float) -> list[Any]:
        said, self.effects = self.effects, []
        return said


@dataclass(slots=True)
class Process:
    order: Order
    part: str
    dying: bool = False
    encoded: bool = False  # its encoder has ended; the output is being checked


class Node:
    """`fails`: the share of its encodes that fail by its own fault. `hung`: its mount does not answer."""

    def __init__(self, world: World, view: NodeView) -> None:
        self._world = world
        self.name = view.name
        self.view = view
        self.boot = 0
        self.reign = 0  # in which it leads, for all that it knows
        self.alive = self.paused = self.hung = self.hangs_for_good = False
        self.fails = 0.0
        self.shelf: dict[w.Key, w.Report] = {}
        self.processes: dict[w.Key, Process] = {}
        self._inbox: deque[Any] = deque()
        self._woken_at: float | None = None

    # --- life ---

    def start(self) -> None:
        """Boot; reports on disk come back."""
        self.boot += 1
        self.alive, self.paused, self.hung, self.reign = True, False, False, 0
        self._inbox.clear()
        self.stub = Stub()
        self.dispatcher = Dispatcher(self.name, lost_after=LOST_AFTER)
        self.worker = Worker(self.name, self.boot, orphan_after=ORPHAN_AFTER)
        self.machine = Machine(self.name, self.stub, self.dispatcher, self.worker)  # type: ignore[arg-type]
        self._woken_at = None
        self._world.say(f"-- {self.name} starts, boot {self.boot}")
        self.post(w.Recovered(tuple(self.shelf.values())))
        self.post(w.Tick())
        self.offer()
        if self._world.leader is not None:
            self._world.after(
                self._world.rng.uniform(0.0, 1.0), self._world.hear_of_leader, self.name, self._world.epoch
            )

    def crash(self) -> None:
        """Its encodes die with it; a rename that it has asked for may still happen."""
        self._world.say(f"-- {self.name} dies")
        self.alive, self.reign = False, 0
        for process in self.processes.values():
            if self._world.rng.random() < 0.5:
                self._world.files.parts.pop(process.part, None)
        self.processes.clear()

    def pause(self, paused: bool) -> None:
        self._world.say(f"-- {self.name} {'stops' if paused else 'goes on'}")
        self.paused = paused
        if self.alive and not paused:
            self._inbox.appendleft(w.Tick())  # timers come first, then what had arrived
            self._drain()

    def offer(self) -> None:
        ill = tuple((word, "hung") for word in sorted(self.view.offers) if word.endswith(":san")) if self.hung else ()
        offers = self.view.offers - {word for word, _ in ill}
        view = NodeView(self.name, self.view.slots, offers=offers, unhealthy=ill, reserve=self.view.reserve)
        self.post(w.OfferChanged(view, f"https://{self.name}", "1"))

    # --- the array ---

    def serve(self, reign: int) -> None:
        """It was chosen to lead."""
        if self.alive and reign == self._world.reign:
            self.step_down()
            self.reign = reign
            self._array(ae.Serve(self._world.epoch))

    def follow(self, leader: str, epoch: int) -> None:
        """Learn of the newest view; who led before steps down first, and who led before it died leads no more."""
        self.step_down()
        if leader != self.name:
            self._array(ae.Follow(leader, epoch))
        elif self.reign == self._world.reign:
            self._array(ae.Serve(epoch))

    def step_down(self) -> None:
        if self.reign not in (0, self._world.reign):
            self.reign = 0
            self._array(ae.StepDown())

    def stale(self, stale: bool) -> None:
        self._array(ae.Stale(stale))

    def _array(self, effect: Any) -> None:
        if self.alive:
            self.post((effect,))

    # --- the loop ---

    def told(self, source: str, message: Any) -> None:
        self.post(w.Told(source, message))

    def post(self, event: Any) -> None:
        self._inbox.append(event)
        self._drain()

    def _drain(self) -> None:
        while self._inbox and self.alive and not self.paused:
            event = self._inbox.popleft()
            if isinstance(event, tuple):
                self.stub.effects, event = list(event), av.Woken()
            for effect in self.machine.step(event, self._world.moment()):
                self._perform(effect)
        self._sleep()

    def _sleep(self) -> None:
        deadline = self.machine.deadline
        if deadline is not None and (
            self._woken_at is None or deadline < self._woken_at or self._woken_at < self._world.now
        ):
            self._woken_at = max(deadline, self._world.now)
            self._world.after(self._woken_at - self._world.now, self._wake, self.boot, self._woken_at)

    def _wake(self, boot: int, at: float) -> None:
        """Not for a deadline that gave way to an earlier one."""
        if self.alive and boot == self.boot and not self.paused and at == self._woken_at:
            self._woken_at = None
            deadline = self.machine.deadline
            if deadline is not None and deadline <= self._world.now:
                self.post(w.Tick())
            else:
                self._sleep()

    def _perform(self, effect: Any) -> None:
        world = self._world
        match effect:
            case w.Commit() | w.LoadActive():
                world.store.ask(self.name, effect)
            case w.Withdraw(tag):
                world.store.withdraw(self.name, tag)
            case w.Answer(request, result):
                world.clients.answered(request, result)
            case w.Tell(node, message):
                if text := _shown(message):
                    world.say(f"{self.name} → {node}: {text}")
                world.send(self.name, node, message)
            case w.StartAttempt(order):
                self._start(order)
            case w.StopAttempt(task, attempt):
                self._stop((task, attempt))
            case w.Publish():
                self._when_mounted(world.rng.uniform(0.0, 0.3), self._publish, effect, self.boot)
            case w.KeepReport(report):
                self.shelf[report.key] = report
            case w.DropReport(task, attempt):
                self.shelf.pop((task, attempt), None)
            case w.Discard(part):
                self._when_mounted(0.01, world.files.parts.pop, part, None)
            case _:
                pass  # of the array's stub

    # --- processes ---

    def _start(self, order: Order) -> None:
        key = (order.task, order.attempt)
        process = Process(order, f"san:.fa/part/{order.task}-{order.attempt}-{self.name}{self.boot}")
        self.processes[key] = process
        self._world.files.parts[process.part] = ""
        self._world.checks.started(self, order)
        self._when_mounted(
            self._world.rng.choice((0.2, 2.0, 8.0)) * self._world.rng.uniform(0.5, 1.5), self._encoded, process
        )

    def _encoded(self, process: Process) -> None:
        key = (process.order.task, process.order.attempt)
        if self.processes.get(key) is not process or process.dying:
            return
        if not process.encoded and self._world.rng.random() < 0.5:
            process.encoded = True
            self.post(w.Progressed(w.Running(*key, "delivering", 1.0)))
            self._when_mounted(self._world.rng.uniform(0.0, 2.0), self._encoded, process)
            return
        del self.processes[key]
        if self._world.checks.hopeless(process.order):
            missing = process.order.job % 2
            self._end(process, w.AttemptFailed(*key, "bad source", not missing, False, CAUSES[missing]))
        elif self._world.rng.random() < self.fails:
            cause = self._world.rng.choice(CAUSES)
            self._end(process, w.AttemptFailed(*key, TROUBLES[cause].format(self.name), False, True, cause))
        else:
            sha = f"{key[0]}-{key[1]}-{self.name}{self.boot}"
            self._world.files.parts[process.part] = sha
            self.post(w.Encoded(*key, process.part, Output(process.order.destination, 1, sha)))

    def _stop(self, key: w.Key) -> None:
        process = self.processes.get(key)
        if process is None:
            self.post(w.AttemptStopped(*key))
        else:
            process.dying = True
            self._when_mounted(self._world.rng.uniform(0.0, 1.0), self._killed, process)

    def _killed(self, process: Process) -> None:
        key = (process.order.task, process.order.attempt)
        if self.processes.get(key) is process:
            del self.processes[key]
            self._end(process, w.AttemptStopped(*key))

    def _end(self, process: Process, event: Any) -> None:
        self._world.files.parts.pop(process.part, None)
        self.post(event)

    def _publish(self, effect: w.Publish, boot: int) -> None:
        """A rename on its way to the server happens, whatever becomes of the process that asked for it."""
        if boot != self.boot and self._world.rng.random() < 0.5:
            return
        result, error = self._world.files.publish(effect.part, effect.output, effect.replace)
        if boot == self.boot and self.alive:
            self.post(w.PublishEnded(effect.task, effect.attempt, result, error))

    def _when_mounted(self, seconds: float, call: Any, *arguments: Any) -> None:
        """Later, and not before the mount answers and the process runs."""
        self._world.after(seconds, self._try, call, arguments)

    def _try(self, call: Any, arguments: Any) -> None:
        if self.alive and (self.hung or self.paused):
            self._world.after(0.3, self._try, call, arguments)
        else:
            call(*arguments)


def _shown(message: Any) -> str:
    match message:
        case w.WorkBeat() | w.Seen():
            return ""
        case w.Offer(number):
            return f"Offer {number}"
        case Order():
            return f"Order {message.task}-{message.attempt}, epoch {message.epoch}, boot {message.boot}"
        case _:
            return str(message)
