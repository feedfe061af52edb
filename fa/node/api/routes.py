"""The table of all routes: what is served, who may call it, how it is described. Nothing is served that is not here."""

from __future__ import annotations

from fa.node.api import (
    bulk,
    events,
    factories,
    files,
    force,
    jobs,
    logs,
    mirror,
    monitors,
    nodes,
    openapi,
    peers,
    status,
    stream,
    tokens,
    why,
)
from fa.node.api.route import Route

ROUTES: tuple[Route, ...] = (
    *status.ROUTES,
    *jobs.ROUTES,
    *bulk.ROUTES,
    *why.ROUTES,
    *logs.ROUTES,
    *nodes.ROUTES,
    *files.ROUTES,
    *factories.ROUTES,
    *monitors.ROUTES,
    *mirror.ROUTES,
    *force.ROUTES,
    *events.ROUTES,
    *stream.ROUTES,
    *tokens.ROUTES,
    *peers.ROUTES,
    *openapi.ROUTES,
)
