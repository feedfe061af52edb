from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from fa.core.model import NodeView
from fa.node.api.openapi import document
from fa.node.api.routes import ROUTES
from fa.node.gateway import VolumeStatus
from tests.node.api.fake import Site


def references(value: Any) -> set[str]:
    return set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(value)))


def test_every_route_is_described_and_every_reference_is_there() -> None:
    told = document(ROUTES)
    described = {f"{method.upper()} {path}" for path, methods in told["paths"].items() for method in methods}
    assert described == {route.name for route in ROUTES}
    assert references(told) == set(told["components"]["schemas"]), "no reference is broken, no schema is left over"
    ids = [operation["operationId"] for methods in told["paths"].values() for operation in methods.values()]
    assert len(set(ids)) == len(ids)


def test_what_a_client_must_know_is_in_it() -> None:
    told = document(ROUTES)
    submit = told["paths"]["/v1/jobs"]["post"]
    assert submit["parameters"][0]["name"] == "Idempotency-Key"
    assert list(submit["responses"]) == ["201", "default"]
    assert told["components"]["schemas"]["SubmitJob"]["additionalProperties"] is False
    listing = {parameter["name"] for parameter in told["paths"]["/v1/jobs"]["get"]["parameters"]}
    assert listing == {"q", "limit", "after", "before", "sort"}
    assert told["paths"]["/v1/jobs/{id}"]["get"]["parameters"][0]["in"] == "path"
    assert told["paths"]["/healthz"]["get"]["security"] == []


async def test_it_is_served(one: Site) -> None:
    status, told = await one.get("/openapi.json")
    assert status == 200 and told["openapi"] == "3.1.0"


async def test_answers_are_as_described(one: Site) -> None:
    """Every plain GET of the table is answered with the fields that its schema requires."""
    await one.submit()
    one.add_monitor("proxy")
    one.node.seen_volumes[:] = [VolumeStatus("proxy", "a", "/mnt/proxy", "healthy")]
    one.node.members[:] = [replace(one.node.members[0], view=NodeView("a", (), offers=frozenset({"source:proxy"})))]
    one.node.logs.mkdir(exist_ok=True)
    told = document(ROUTES)
    names = {"{id}": "1", "{name}": "proxy"}
    for path, methods in told["paths"].items():
        content = methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        placeholders = set(re.findall(r"\{\w+\}", path))
        for_nodes = methods.get("get", {}).get("x-role") == "node"
        if "application/json" not in content or for_nodes or path == "/v1/nodes/{name}" or placeholders - set(names):
            continue
        filled = re.sub(r"\{\w+\}", lambda match: names[match[0]], path)
        status, answer = await one.get(filled)
        assert status == 200, filled
        schema = content["application/json"]["schema"]
        required = told["components"]["schemas"][references(schema).pop()]["required"] if references(schema) else []
        assert set(required) <= set(answer), filled
