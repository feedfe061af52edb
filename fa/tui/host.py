"""What screens and dialogs may ask of the desk that holds them: messages up. Data comes down in a `Scene`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fa.client.calls import Call
from fa.errors import FaError
from fa.tui.keys import Action
from fa.tui.line import Line
from fa.tui.scene import Scene
from fa.tui.world import World

Then = Callable[[Any], None]
Fail = Callable[[FaError], None]


@dataclass(frozen=True, slots=True)
class Send:
    """Ask the array; ``then`` gets the JSON value (or the whole reply when ``raw``), ``fail`` what went wrong."""

    call: Call
    then: Then
    fail: Fail
    raw: bool = False


@dataclass(frozen=True, slots=True)
class Copy:
    """Hand a text to the terminal's clipboard (OSC 52)."""

    text: str
    what: str


@dataclass(frozen=True, slots=True)
class Save:
    """Write the screen to a file whose name begins with ``name``."""

    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Quit:
    """Leave."""


@dataclass(frozen=True, slots=True)
class Redraw:
    """Paint everything anew: something else wrote to the terminal."""


@dataclass(frozen=True, slots=True)
class Mouse:
    """Take the mouse, or leave it to the terminal."""

    captured: bool


Effect = Send | Copy | Save | Quit | Redraw | Mouse


class Box(Protocol):
    """A dialog over the screen. It gets every key until it asks the host to close it."""

    @property
    def title(self) -> str: ...

    def lines(self, scene: Scene) -> list[Line]:
        """As wide and high as it likes to be, within ``scene.size``."""
        ...

    def key(self, key: str, character: str | None) -> None: ...

    def paste(self, text: str) -> None: ...


class View(Protocol):
    """One screen."""

    @property
    def name(self) -> str:
        """The scope of its keys."""
        ...

    @property
    def title(self) -> str: ...

    @property
    def needs(self) -> tuple[str, ...]:
        """The parts of the world that it shows (`fa.tui.world.SOURCES`)."""
        ...

    def lines(self, scene: Scene) -> list[Line]: ...

    def opened(self) -> None:
        """It is shown (again)."""
        ...

    def move(self, key: str) -> bool:
        """A key that moves: up, down, pageup, pagedown, home, end, left, right. Whether it could do anything here."""
        ...

    def act(self, action: str) -> bool:
        """Carry out an action by its id; False when this screen does not know it."""
        ...

    def heard(self, topic: str, data: Any) -> None: ...

    def tick(self) -> None: ...

    def click(self, row: int) -> None:
        """Row of the screen's own lines."""
        ...

    def what(self) -> Any:
        """The object under the cursor: Job, Node, Factory, Monitor, Event, Alert, TakeOver; None for nothing."""
        ...


class Host(Protocol):
    world: World
    now: float

    def send(self, call: Call, then: Then, fail: Fail | None = None, *, raw: bool = False, cli: str = "") -> None: ...

    def toast(self, text: str, style: str = "toast") -> None: ...

    def push(self, view: View) -> None: ...

    def show(self, box: Box) -> None: ...

    def close(self) -> None:
        """The dialog that is on top."""
        ...

    def copy(self, text: str, what: str) -> None: ...

    def run(self, action: str) -> None:
        """As if its key had been pressed."""
        ...

    def denied(self, action: Action) -> str:
        """Why the action cannot be done now; "" when it can."""
        ...


def sentence(error: FaError) -> str:
    """An error as one line: what happened, why, what to do."""
    return f"{error.detail} {error.hint}".strip()


def listed(names: Sequence[Any]) -> str:
    return " ".join(str(name) for name in names)
