"""`/v1/mirror`: how the copies of the store stand, and what an operator does about it."""

from __future__ import annotations

from typing import Any

from fa.core.model import Role
from fa.node.api import given as g
from fa.node.api.call import Answer, Call
from fa.node.api.route import Route
from fa.node.api.verify import verified

LONG_SECONDS = 300.0


async def status(call: Call) -> Answer:
    return Answer(await call.gateway.mirror("status", {}))


async def history(call: Call) -> Answer:
    return Answer(await call.gateway.mirror("history", {}))


async def switchover(call: Call) -> Answer:
    arguments = {"node": call.body.node} if call.body.node else {}
    return Answer(await call.gateway.mirror("switchover", {**arguments, "by": call.who.name}))


async def verify(call: Call) -> Answer:
    return Answer(await verified(call, call.query.node))


ROUTES = (
    Route("GET", "/v1/mirror", Role.VIEWER, "Show how the copies of the store stand", status, dict[str, Any]),
    Route("GET", "/v1/mirror/history", Role.VIEWER, "List take-overs and changes", history, dict[str, Any]),
    Route(
        "POST", "/v1/mirror/switchover", Role.ADMIN, "Hand the lead over in order", switchover, dict[str, Any],
        body=g.SwitchTo, repeatable=False, patience_seconds=LONG_SECONDS,
    ),
    Route(
        "POST", "/v1/mirror/verify", Role.ADMIN, "Read all complete copies over and compare them", verify,
        dict[str, Any], query=g.VerifyQuery, patience_seconds=LONG_SECONDS,
    ),
)  # fmt: skip
