"""What a node is made of, from its settings."""

from __future__ import annotations

import asyncio
import logging
import secrets
from pathlib import Path
from random import Random

from fa.core.array import Array
from fa.core.array_state import Config
from fa.core.dispatcher import Dispatcher, Kept
from fa.core.machine import Machine
from fa.core.outlook import Space
from fa.core.worker import Worker
from fa.node.attempt import Workshop
from fa.node.identity import Identity
from fa.node.settings import Retention, Settings, StateDir
from fa.node.volumes import Volumes
from fa.store.migrations import newest
from fa.transcode.sandbox import Sandbox, find_sandbox
from fa.transcode.tools import Tools, find_tools

log = logging.getLogger(__name__)

NO_TOOLS = Tools("", "", "", "")


def make_machine(settings: Settings, identity: Identity) -> Machine:
    """The core, with the only chance that it will ever have."""
    node, timing = settings.node, settings.timing
    config = Config(
        settings.array.id, node.name, node.index, secrets.token_hex(8),
        kind=node.kind, rank=node.rank, schema=newest(), mirror=node.mirror,
        mirrors=settings.array.mirrors, min_insync=settings.array.min_insync,
        heartbeat=timing.heartbeat_seconds, suspect_after=timing.suspect_after_seconds,
    )  # fmt: skip
    array = Array(config, Random(secrets.randbits(64)))
    dispatcher = Dispatcher(node.name, lost_after=timing.lost_after_seconds, kept=_kept(settings.retention))
    worker = Worker(
        node.name, identity.boots, heartbeat=timing.heartbeat_seconds, orphan_after=timing.orphan_after_seconds
    )
    return Machine(node.name, array, dispatcher, worker)


def _kept(retention: Retention) -> Kept:
    return Kept(
        requests=int(retention.requests_seconds * 1000),
        jobs=int(retention.jobs_seconds * 1000),
        alerts=int(retention.alerts_seconds * 1000),
        events=retention.events,
    )


async def make_workshop(place: StateDir, settings: Settings) -> Workshop:
    """Raises `FaError` where there is no ffmpeg; a witness needs none, as it runs no work."""
    transcode, timing = settings.transcode, settings.timing
    tools, sandbox = NO_TOOLS, Sandbox()
    if settings.node.kind != "witness":
        tools = await asyncio.to_thread(find_tools, transcode.ffmpeg, transcode.ffprobe)
        sandbox = await asyncio.to_thread(find_sandbox)
    for note in sandbox.notes:
        log.warning("%s", note)
    logs = place.log / "attempts"
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    space = Space(settings.alerts.disk_low_percent)
    volumes = Volumes(
        settings.node.name, settings.array.id, settings.volumes, timeout=timing.volume_timeout_seconds, space=space
    )
    programs = {Path(program).name: program for program in transcode.exec}
    scratch = Path(transcode.scratch) if transcode.scratch else place.scratch
    return Workshop(volumes, tools, sandbox, logs, scratch, transcode.localise, programs)
