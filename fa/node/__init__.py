"""One server: the asyncio shell around the core."""
