"""Every message crosses the wire and comes back equal."""

from __future__ import annotations

import dataclasses
from typing import get_args

import msgspec
import pytest

from fa.core import array_messages as ms
from fa.core.position import Position
from fa.core.view import Member, View

MEMBERS = (Member("ä\n'\"", "1"), Member("b", "2"))
SAMPLES: dict[str, object] = {
    "str": "-x %d \U0001f3ac",
    "int": 2**63 - 1,
    "bool": True,
    "Position": Position(7, 2**63 + 5),
    "View": View(1024, "b", MEMBERS, MEMBERS, MEMBERS[:1]),
    "View | None": View(2048, "b", MEMBERS, MEMBERS, MEMBERS),
    "Position | None": Position(1, 2),
    "Unproven": ms.Unproven(3, 2**40, ("r1", "r2")),
    "tuple[Position, ...]": (Position(1, 2), Position(2, 3)),
}


def sample(kind: type[ms.Message]) -> ms.Message:
    return kind(**{field.name: SAMPLES[str(field.type)] for field in dataclasses.fields(kind)})


@pytest.mark.parametrize("name", sorted(ms.MESSAGES))
def test_round_trip(name: str) -> None:
    message = sample(ms.MESSAGES[name])
    for codec in (msgspec.json, msgspec.msgpack):
        assert codec.decode(codec.encode(message), type=ms.MESSAGES[name]) == message


def test_no_message_is_missing() -> None:
    assert set(ms.MESSAGES.values()) == set(get_args(ms.Message))
