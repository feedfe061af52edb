"""`/v1/volumes/{name}/files`: what lies on the shared storage, for people who look for a source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fa.core.model import Role
from fa.core.places import Place
from fa.errors import NotFound
from fa.node.api import given as g
from fa.node.api import shapes as s
from fa.node.api.call import Answer, Call, Reply
from fa.node.api.paging import LIMIT_MAX
from fa.node.api.render import stamp
from fa.node.api.route import Route
from fa.node.browse import VolumeSilent, place_of


async def listing(call: Call) -> Reply:
    """By a node that can read the volume: this one, or one that is asked to."""
    volume = place_of(call.names["name"], call.query.path).volume
    if volume not in {seen.name for seen in call.gateway.volumes()}:
        raise NotFound(f"There is no volume {volume} in this array.", hint="`fa volume list` lists them.")
    able = [node for node in call.gateway.nodes() if node.state != "lost" and f"source:{volume}" in node.view.offers]
    if any(node.view.name == call.gateway.standing().node for node in able):
        return await look(call)
    if not able:
        raise VolumeSilent(f"No node of the array can read volume {volume} now.", hint="`fa volume list` says why.")
    url = f"{able[0].address}/v1/peer/volumes/{volume}/files?{call.request.rel_url.raw_query_string}"
    return await call.services.forwarder.to_node(call, able[0].view.name, url, call.route.patience_seconds)


async def look(call: Call) -> Answer:
    """One look from here."""
    folder = place_of(call.names["name"], call.query.path)
    told = await call.gateway.files(folder, call.query.after, min(call.query.limit, LIMIT_MAX))
    items = [_shape(folder, item) for item in told["items"]]
    return Answer(s.FolderShape(folder.volume, folder.path, call.gateway.standing().node, items, told["next"]))


def _shape(folder: Place, item: Mapping[str, Any]) -> s.FileShape:
    name = str(item["name"])
    place = Place(folder.volume, f"{folder.path}/{name}" if folder.path else name)
    exact = not any("\ud800" <= letter <= "\udfff" for letter in name)
    return s.FileShape(name, item["kind"], str(place), item.get("bytes"), stamp(item["mtime_ms"]), exact)


ROUTES = (
    Route(
        "GET", "/v1/volumes/{name}/files", Role.OPERATOR, "List a folder of a volume", listing, s.FolderShape,
        query=g.FilesQuery,
    ),
    Route(
        "GET", "/v1/peer/volumes/{name}/files", Role.NODE, "List a folder as this node sees it (for other nodes)", look,
        s.FolderShape, query=g.FilesQuery, local=True,
    ),
)  # fmt: skip
