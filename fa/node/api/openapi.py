"""`/openapi.json`: the route table and the types of `shapes`, as OpenAPI 3.1. Nothing is written down twice."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import msgspec

import fa
from fa.core.model import Role
from fa.node.api.call import Answer, Call
from fa.node.api.problems import MEDIA as PROBLEM
from fa.node.api.problems import Problem
from fa.node.api.route import JSON, RECIPE, Route

_REF = "#/components/schemas/{name}"
_NAME = re.compile(r"\{(\w+)\}")

_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "1 to 255 printable characters; the same key with the same body is carried out once.",
    "schema": {"type": "string", "maxLength": 255},
}


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """The whole description, JSON-ready."""
    routes = tuple(routes)
    kinds = [kind for route in routes for kind in (route.answer, route.body) if kind is not None]
    schemas, components = msgspec.json.schema_components([*kinds, Problem], ref_template=_REF)
    by_kind = dict(zip(map(repr, [*kinds, Problem]), schemas, strict=True))
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_kind)
    return {
        "openapi": "3.1.0",
        "info": {"title": "fa", "version": fa.__version__, "description": "A failover transcoding array."},
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    told = {"schema": schemas[repr(route.answer)]} if route.answer is not None else {}
    trouble = {PROBLEM: {"schema": schemas[repr(Problem)]}}
    operation: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", f"{route.method.lower()}{route.path}").strip("_"),
        "summary": route.summary,
        "parameters": _parameters(route),
        "responses": {
            str(route.status): {"description": "Done.", "content": {route.answers: told}},
            "default": {"description": "What went wrong, and what to do.", "content": trouble},
        },
        "x-role": route.role.value if route.role else None,
    }
    if route.role is None:
        operation["security"] = []
    if route.body is not None:
        media = [route.media, JSON] if route.media == RECIPE else [route.media]
        content = {kind: {"schema": _body(route, kind, schemas)} for kind in media}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _body(route: Route, media: str, schemas: dict[str, Any]) -> Any:
    return {"type": "object"} if route.media == RECIPE and media == JSON else schemas[repr(route.body)]


def _parameters(route: Route) -> list[dict[str, Any]]:
    found = [
        {"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in _NAME.findall(route.path)
    ]
    for field in msgspec.structs.fields(route.query):
        schema = msgspec.json.schema(field.type)
        found.append({"name": field.encode_name, "in": "query", "required": field.required, "schema": schema})
    return [*found, _KEY] if route.keyed else found


async def show(call: Call) -> Answer:
    return Answer(_cached())


@cache
def _cached() -> msgspec.Raw:
    from fa.node.api.routes import ROUTES  # the table holds this handler

    return msgspec.Raw(msgspec.json.encode(document(ROUTES)))


ROUTES = (
    Route("GET", "/openapi.json", Role.VIEWER, "Describe this API (OpenAPI 3.1)", show, dict[str, Any], local=True),
)
