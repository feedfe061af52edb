"""What this node can do: the encoders and filters that were proved, its volumes by their health, its tags."""

from __future__ import annotations

from pathlib import Path

import fa
from fa.core.model import NodeView, Reserve
from fa.core.work import OfferChanged, VolumeHealth
from fa.node.settings import Settings


def offer_of(
    settings: Settings, held: frozenset[str], failed: frozenset[str], volumes: tuple[VolumeHealth, ...]
) -> OfferChanged:
    """The node as it stands now; `held` and `failed` of what was tried of its ffmpeg. A volume that is not healthy is
    named with the reason, so that people see why."""
    node = settings.node
    offers = set(held) | {f"tag:{tag}" for tag in node.tags}
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
        reserve=tuple(Reserve(rule.min_priority, rule.slots, rule.slot_class) for rule in node.reserve),
        failed=failed,
    )
    return OfferChanged(view, node.url, fa.__version__, volumes)


def _sort(volume: VolumeHealth, offers: set[str], unhealthy: dict[str, str]) -> None:
    read, write = f"source:{volume.name}", f"volume:{volume.name}"
    why = f"{volume.state}: {volume.why}"
    if volume.state == "healthy":
        offers |= {read, write}
    elif volume.state in ("read-only", "full"):
        offers.add(read)
        unhealthy[write] = why
    else:
        unhealthy |= {read: why, write: why}
