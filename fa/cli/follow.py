"""Events as they happen, over the death of nodes. Apart, because it loads asyncio and aiohttp."""

from __future__ import annotations

from collections.abc import Callable

from fa.cli.context import Context
from fa.cli.tables import Item
from fa.client.aio import AsyncClient, Live, Relist, Stale
from fa.client.sse import ServerEvent


async def follow(context: Context, since: str, show: Callable[[Item], None]) -> None:
    """Give every event after the id ``since`` to ``show``, for ever; says on stderr when nothing is heard."""
    silent = False
    async with AsyncClient(context.target) as client:
        async for item in client.stream(["event"], since):
            if isinstance(item, Stale) and not silent:
                silent = True
                context.say(f"fa: nothing is heard from the array ({item.why}); trying on")
            elif isinstance(item, Live):
                if silent:
                    context.say(f"fa: heard again, from {item.node}")
                silent = False
            elif isinstance(item, Relist):
                context.say("fa: some events were missed; `fa events` lists them")
            elif isinstance(item, ServerEvent) and item.name == "event" and isinstance(item.data, dict):
                show(item.data)
                context.flush()
