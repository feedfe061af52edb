"""`POST /v1/mirror/verify`: every node that holds a complete copy reads it over, and all of them give the same.

The coordinator says where the array stands, a transaction and the checksum of all pages after it, and asks each node to
hold its own copy against that (`fa.replication.checkup`): it does not take the word of anybody's memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from fa.errors import FaError, NotFound
from fa.node.api.call import Call
from fa.replication.checkup import BY_STOCK, NOT_HERE, SAME_ROWS

COMPLETE = frozenset({"complete", "in-sync"})
STOCK = {
    BY_STOCK: "by fa and by litestream, with the same bytes",
    SAME_ROWS: "by fa and by litestream, with the same rows",
    NOT_HERE: "by fa (litestream is not installed there)",
}


async def verified(call: Call, only: str) -> Mapping[str, Any]:
    """`ok` when nothing is wrong with any of them; `nodes` has what each found, `words` the same for people. Raises
    `NotFound` when `only` is not among those that hold a complete copy."""
    mirror = await call.gateway.mirror("status", {})
    roles = {str(copy["node"]): str(copy["role"]) for copy in mirror["copies"] if copy["state"] in COMPLETE}
    if only and only not in roles:
        raise NotFound(f"Node {only} holds no complete copy of the store; {', '.join(roles)} do.")
    at = {"txid": mirror["txid"], "checksum": mirror["checksum"]}
    names = [only] if only else list(roles)
    found = await asyncio.gather(*(_look(call, name, at) for name in names))
    nodes = [_judged(name, roles[name], each) for name, each in zip(names, found, strict=True)]
    return {
        "ok": all(node["ok"] for node in nodes),
        **at,
        "nodes": nodes,
        "words": [_sentence(node) for node in nodes],
    }


async def _look(call: Call, name: str, at: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the node found; that it does not answer is wrong with it as well."""
    try:
        if name == call.gateway.standing().node:
            return await call.gateway.mirror("examine", at)
        address = next((node.address for node in call.gateway.nodes() if node.view.name == name), "")
        patience = call.route.patience_seconds
        told = await call.services.forwarder.ask_node(call, name, f"{address}/v1/peer/examine", at, patience)
    except FaError as error:
        return {**at, "problems": [str(error)]}
    return dict(told)


def _judged(name: str, role: str, found: Mapping[str, Any]) -> dict[str, Any]:
    return {"node": name, "role": role, "ok": not found["problems"], **found}


def _sentence(node: Mapping[str, Any]) -> str:
    who = f"{node['node']} ({node['role']})"
    if not node["ok"]:
        return f"{who}: NOT well. {' '.join(node['problems'])}"
    restored = STOCK[node["litestream"]]
    return (
        f"{who}: well. {node['pages']} pages of the store and {node['files']} segment files were read; "
        f"transaction {node['txid']} was restored {restored}."
    )
