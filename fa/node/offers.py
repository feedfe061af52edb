"""What this node can do, proved: encoders by a real short encode, filters by a real run, volumes by their health.

Proofs take a while on a busy machine, so they are kept in the state directory under the identity of the programs (path,
size, mtime) and done again only when those change."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import fa
from fa.core.model import NodeView, Reserve
from fa.core.recipe_needs import known_encoders, known_filters
from fa.core.work import OfferChanged, VolumeHealth
from fa.node.settings import Settings
from fa.replication.durable import write_durably
from fa.transcode.sandbox import Sandbox
from fa.transcode.tools import Tools, prove_encoders, prove_filters

log = logging.getLogger(__name__)


async def proved(tools: Tools, sandbox: Sandbox, kept: Path) -> frozenset[str]:
    """`encoder:…` and `filter:…` words that hold on this machine, from `kept` when the programs are the same."""
    names = {"encoders": sorted(known_encoders()), "filters": sorted(known_filters())}
    before = _read(kept)
    if before.get("identity") == tools.identity and before.get("names") == names:
        return frozenset(before["proved"])
    log.info("trying %d encoders and %d filters", len(names["encoders"]), len(names["filters"]))
    encoders = await prove_encoders(tools, sandbox, names["encoders"])
    filters = await prove_filters(tools, sandbox, names["filters"])
    words = sorted([f"encoder:{name}" for name in encoders] + [f"filter:{name}" for name in filters])
    found = {"identity": tools.identity, "names": names, "proved": words}
    write_durably(kept, json.dumps(found).encode())
    return frozenset(words)


def _read(kept: Path) -> dict[str, Any]:
    try:
        found = json.loads(kept.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def offer_of(settings: Settings, words: frozenset[str], volumes: tuple[VolumeHealth, ...]) -> OfferChanged:
    """The node as it stands now. A volume that is not healthy is named with the reason, so that people see why."""
    node = settings.node
    offers = set(words) | {f"tag:{tag}" for tag in node.tags}
    offers |= {f"exec:{Path(program).name}" for program in settings.transcode.exec}
    unhealthy: dict[str, str] = {}
    for volume in volumes:
        _sort(volume, offers, unhealthy)
    view = NodeView(
        node.name,
        tuple(sorted(node.slots_or_cores.items())),
        offers=frozenset(offers),
        unhealthy=tuple(sorted(unhealthy.items())),
        only_factories=node.only_factories,
        only_tags=node.only_tags,
        reserve=tuple(Reserve(rule.min_priority, rule.slots) for rule in node.reserve),
    )
    return OfferChanged(view, node.url, fa.__version__, volumes)


def _sort(volume: VolumeHealth, offers: set[str], unhealthy: dict[str, str]) -> None:
    read, write = f"source:{volume.name}", f"volume:{volume.name}"
    why = f"{volume.state}: {volume.why}"
    if volume.state == "healthy":
        offers |= {read, write}
    elif volume.state == "read-only":
        offers.add(read)
        unhealthy[write] = why
    else:
        unhealthy |= {read: why, write: why}
