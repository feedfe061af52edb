"""A route as a value, and finding the one that a request means."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec

from fa.core.model import Role
from fa.errors import NotFound
from fa.node.api.given import NoQuery
from fa.node.api.problems import MethodNotAllowed

if TYPE_CHECKING:
    from fa.node.api.call import Call, Reply

Handler = Callable[["Call"], Awaitable["Reply"]]

JSON = "application/json"
RECIPE = "application/toml"  # JSON is taken too
PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path. `role` is the least that may call it; None = anybody, NODE = other nodes only.

    `local`: every node answers by itself; all others are the coordinator's. `repeatable`: carrying it out twice is the
    same as once, so that a node may try again when a coordinator died over it; `keyed`: it is with an Idempotency-Key.
    `batch`: the larger limit for bodies. `at_the_machine`: over the Unix socket only, whatever token one has. `silent`:
    its answer may say nothing for hours, once it has begun."""

    method: str
    path: str
    role: Role | None
    summary: str
    handler: Handler
    answer: Any = None
    status: int = 200
    body: Any = None
    query: type[msgspec.Struct] = NoQuery
    media: str = JSON
    answers: str = JSON
    local: bool = False
    repeatable: bool = True
    keyed: bool = False
    batch: bool = False
    at_the_machine: bool = False
    silent: bool = False
    patience_seconds: float = PATIENCE_SECONDS

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(slots=True)
class _Place:
    """A path with its placeholders, and the routes of its methods."""

    parts: tuple[str, ...]
    methods: dict[str, Route] = field(default_factory=dict)

    def names(self, parts: list[str]) -> dict[str, str] | None:
        names = {}
        for mine, theirs in zip(self.parts, parts, strict=True):
            if mine.startswith("{"):
                names[mine[1:-1]] = unquote(theirs, errors="surrogateescape")
            elif mine != theirs:
                return None
        return names


class Router:
    """Finds routes. A path that is not in the table does not exist: nothing is served by accident."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[str, _Place] = {}
        self._by_length: dict[int, list[_Place]] = {}
        for route in routes:
            place = self._exact.get(route.path)
            if place is None:
                place = self._exact[route.path] = _Place(tuple(route.path.split("/")))
                self._by_length.setdefault(len(place.parts), []).append(place)
            assert route.method not in place.methods, f"{route.name} is twice in the table"
            place.methods[route.method] = route

    def find(self, method: str, raw_path: str) -> tuple[Route, Mapping[str, str]]:
        """The route and the values of its placeholders. Raises `NotFound` or `MethodNotAllowed`."""
        for place, names in self._places(raw_path):
            route = place.methods.get("GET" if method == "HEAD" else method)
            if route is None:
                raise _not_allowed(method, raw_path, ", ".join(sorted(place.methods)))
            return route, names
        raise NotFound(f"There is nothing at {raw_path[:80]}.", hint="/openapi.json lists what there is.")

    def _places(self, raw_path: str) -> Iterator[tuple[_Place, dict[str, str]]]:
        exact = self._exact.get(raw_path)
        if exact is not None and "{" not in raw_path:
            yield exact, {}
            return
        parts = raw_path.split("/")
        for place in self._by_length.get(len(parts), ()):
            names = place.names(parts)
            if names is not None:
                yield place, names


def _not_allowed(method: str, raw_path: str, known: str) -> MethodNotAllowed:
    error = MethodNotAllowed(f"{raw_path[:80]} does not know {method[:20]}.", hint=f"Known here: {known}.")
    error.allow = known
    return error
