"""`/v1/force`: let this node lead without a majority. For the person at the machine, who has read what it may cost."""

from __future__ import annotations

from typing import Any

from fa.core.model import Role
from fa.errors import Invalid
from fa.node.api import given as g
from fa.node.api.call import Answer, Call
from fa.node.api.route import Route


async def report(call: Call) -> Answer:
    standing = call.gateway.standing()
    lines = call.gateway.force_report().splitlines()
    return Answer({"array": standing.array, "node": standing.node, "report": lines})


async def force(call: Call) -> Answer:
    standing = call.gateway.standing()
    if call.body.array != standing.array:
        hint = "Write the name of the array as `fa status` shows it."
        raise Invalid(f"{call.body.array[:80]!r} is not the name of this array.", hint=hint)
    await call.gateway.force(call.who.name)
    return Answer({"array": standing.array, "node": standing.node, "forced": True})


ROUTES = (
    Route(
        "GET", "/v1/force", Role.ADMIN, "Say what forcing this node to lead may lose (Unix socket only)", report,
        dict[str, Any], local=True, at_the_machine=True,
    ),
    Route(
        "POST", "/v1/force", Role.ADMIN, "Let this node lead without a majority (Unix socket only)", force,
        dict[str, Any], body=g.Force, local=True, at_the_machine=True, repeatable=False,
    ),
)  # fmt: skip
