"""`fa monitor test` on the node that was chosen for it: the look, and what of it the array has submitted already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from fa.core.monitor import parse_monitor
from fa.node.preview import preview
from fa.node.settings import Settings
from fa.node.volumes import Volumes
from fa.store.readers import Readers


async def test_monitor(volumes: Volumes, settings: Settings, text: str, store: Readers | None) -> Mapping[str, Any]:
    """The fields of `MonitorTest`. Without a `store` (a node that does not lead) nothing is known to be submitted."""
    monitor = parse_monitor(text)
    told = await preview(text, volumes.root(monitor.folder.volume, write=False), settings.array.id)
    files = {(file["path"], file["size"], file["mtime_ns"]): file for file in told["files"] if "size" in file}
    known = await store.submitted(monitor.name, list(files)) if store else frozenset()
    counts = Counter(told["counts"])
    for seen in known:
        counts[files[seen]["would"]] -= 1
        counts["nothing"] += 1
        files[seen] |= {"would": "nothing", "why": "it was submitted already"}
    return {"monitor": monitor.name, "node": settings.node.name, **told, "counts": dict(+counts)}
