from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from fa.core.commands import AckAlert
from fa.core.ledger import Outcome
from fa.core.members import Member
from fa.core.model import Group, NodeMode
from fa.core.position import Position
from fa.core.scheduling import Why, why_never, why_not_now
from fa.core.work import Answer, Asked
from fa.errors import Unavailable
from fa.node.answers import Answers
from fa.node.clock import Clock
from fa.node.settings import Array, Node, Settings, Timing
from fa.node.window import Window

COMMAND = AckAlert(1, "me", 0)


def window(patience: float, serving: bool, post: Any = lambda event: None) -> Window:
    """A node's window with nothing behind it but a store that `post` stands for."""
    settings = Settings(
        Array("test", "1"), Node("a", "127.0.0.1:7001"), timing=Timing(forward_timeout_seconds=patience)
    )
    machine: Any = SimpleNamespace(array=SimpleNamespace(status=lambda: SimpleNamespace(secondaries=("b",))))
    nothing: Any = None
    made = Window(settings, machine, Answers(post), *[nothing] * 4, asyncio.Event(), *[nothing] * 4)
    if serving:
        made.serving.set()
    return made


async def test_a_command_that_is_never_acknowledged_is_answered_all_the_same() -> None:
    """A stalled array: the client is told to come again with the same key, and waits no longer than that."""
    with pytest.raises(Unavailable, match="did not acknowledge") as raised:
        await window(0.01, serving=True).ask(COMMAND)
    assert "same Idempotency-Key" in (raised.value.hint or "")


async def test_nobody_is_asked_before_this_node_serves() -> None:
    asked: list[Any] = []
    with pytest.raises(Unavailable):
        await window(0.01, serving=False, post=asked.append).ask(COMMAND)
    assert not asked


async def test_an_acknowledged_command_says_how_safe_it_is() -> None:
    def carry_out(asked: Asked) -> None:
        answer = Answer(asked.request, Outcome("done"), Position(3, 1))
        asyncio.get_running_loop().call_soon(made.answers.answer, answer)

    made = window(30.0, serving=True, post=carry_out)
    done = await made.ask(COMMAND)
    assert (done.value, done.position, done.durability) == ("done", Position(3, 1), "mirrored")


def test_a_node_that_this_coordinator_has_not_heard_is_not_told_to_lack_anything() -> None:
    """After a take-over it has no offer of the one that died, and of others none until they said what they can do."""
    made = window(1.0, serving=True)
    made.clock = Clock()
    made.machine.dispatcher = SimpleNamespace(
        views=tuple,
        runs_on=lambda name: (),
        members=(
            Member("a", NodeMode.UP, "", 0.0, lost=True),
            Member("b", NodeMode.UP, "", 0.0),
            Member("w", NodeMode.UP, "", 0.0, kind="witness"),
        ),
    )
    group = Group(1, "gpu", "cpu", 1, ("tag:gpu",))
    a, b, witness = (status.view for status in made.nodes())
    assert why_never(group, a) is why_never(group, b) is None
    lost, silent = why_not_now(group, a), why_not_now(group, b)
    assert lost and silent and (lost.why, silent.why) == (Why.LOST, Why.SILENT)
    assert why_never(group, witness)


@pytest.mark.parametrize(
    ("mirror", "said"),
    [("lock-step", "Add a third vote."), ("stalled", "b does not answer and min_insync is 2: nothing is acknowledged")],
)
def test_a_coordinator_that_acknowledges_nothing_says_why(mirror: str, said: str) -> None:
    """Else it says what it is to be warned of."""
    status = SimpleNamespace(
        epoch=3, coordinator="a", secondaries=("b",), mirror=mirror, acked=Position(3, 1),
        why="b does not answer and min_insync is 2: nothing is acknowledged", warning="Add a third vote.",
    )  # fmt: skip
    made = window(1.0, serving=True)
    made.machine.array.status = lambda: status  # type: ignore[method-assign]
    made.store = made.keeper = SimpleNamespace(commits=SimpleNamespace(last_ms=0.0))  # type: ignore[assignment]
    standing = made.standing()
    assert standing.leading
    assert standing.why == said
