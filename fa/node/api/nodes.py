"""`/v1/nodes` and `/v1/volumes`: who works in the array, and what each sees of the shared storage."""

from __future__ import annotations

import functools

from fa.core.commands import RemoveNode, SetNodeMode
from fa.core.model import NodeMode, Role
from fa.core.view import VOLUME_PREFIX, on_volume
from fa.errors import Conflict, NotFound
from fa.node.api import shapes as s
from fa.node.api.call import Answer, Call
from fa.node.api.render import node_shape, volume_shape
from fa.node.api.route import Route
from fa.node.gateway import NodeStatus

LONG_SECONDS = 60.0


async def listing(call: Call) -> Answer:
    nodes = sorted(call.gateway.nodes(), key=lambda node: node.view.name)
    return Answer(s.Page[s.NodeShape]([node_shape(node) for node in nodes], seq=call.gateway.hub.head))


async def show(call: Call) -> Answer:
    return Answer(node_shape(_node(call)))


def _node(call: Call) -> NodeStatus:
    for node in call.gateway.nodes():
        if node.view.name == call.names["name"]:
            return node
    raise NotFound(f"There is no node {call.names['name'][:80]!r} in this array.", hint="`fa nodes` lists them.")


async def set_mode(call: Call, mode: NodeMode) -> Answer:
    node = _node(call)
    await call.ask(SetNodeMode(node.view.name, mode, call.at, call.who.name))
    return Answer(node_shape(_node(call)))


async def remove(call: Call) -> Answer:
    """Its row goes at once; its vote and copy follow as soon as a majority agrees (`fa.node.membership`), for which its
    own vote may be asked: nobody is struck without whom no majority answers. The vote of a volume is struck when this
    returns."""
    name = call.names["name"]
    if on_volume(name):
        await call.gateway.remove_vote(name, call.who.name)
        return Answer({"removed": name})
    if name == call.gateway.standing().coordinator:
        raise Conflict(f"Node {name} is the coordinator.", hint="Hand over first: fa mirror switchover NODE.")
    call.gateway.check_spare(name, "Bring another voter back first, or strike one that does not answer.")
    await call.ask(RemoveNode(name, call.at, call.who.name))
    return Answer({"removed": name})


async def volumes(call: Call) -> Answer:
    seen = sorted(call.gateway.volumes(), key=lambda volume: (volume.name, volume.node))
    return Answer(s.Page[s.VolumeShape]([volume_shape(volume) for volume in seen]))


async def renew_vote(call: Call) -> Answer:
    voter = f"{VOLUME_PREFIX}{call.names['name']}"
    await call.gateway.renew_vote(voter, call.who.name)
    return Answer({"voter": voter})


_MODES = {
    "pause": (NodeMode.PAUSED, "Give a node nothing new; what runs goes on"),
    "resume": (NodeMode.UP, "Give a node work again"),
    "drain": (NodeMode.DRAINING, "Let a node finish and then stand still, before it is taken down"),
}

ROUTES = (
    Route("GET", "/v1/nodes", Role.VIEWER, "List the nodes", listing, s.Page[s.NodeShape]),
    Route("GET", "/v1/nodes/{name}", Role.VIEWER, "Show a node", show, s.NodeShape),
    *(
        Route(
            "POST", f"/v1/nodes/{{name}}/{verb}", Role.ADMIN, summary,
            functools.partial(set_mode, mode=mode), s.NodeShape,
        )
        for verb, (mode, summary) in _MODES.items()
    ),
    *(
        Route(method, path, Role.ADMIN, "Strike a node, or the vote of a volume", remove, dict[str, str],
              patience_seconds=LONG_SECONDS)
        for method, path in (("POST", "/v1/nodes/{name}/remove"), ("DELETE", "/v1/nodes/{name}"))
    ),
    Route("GET", "/v1/volumes", Role.VIEWER, "List volumes as each node sees them", volumes, s.Page[s.VolumeShape]),
    Route(
        "POST", "/v1/volumes/{name}/vote", Role.ADMIN, "Give a volume a fresh vote for one whose records were lost",
        renew_vote, dict[str, str], repeatable=False, patience_seconds=LONG_SECONDS,
    ),
)  # fmt: skip
