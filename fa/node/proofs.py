"""What the ffmpeg of this node really does here: encoders proved by a real short encode, filters by a real run.

Those of the presets are tried when the node starts; what factories of this array ask for beyond them as soon as the
coordinator tells of it (`fa.node.wire.Roster`), beside the work. Proofs take a while on a busy machine, so what held is
kept in the state directory under the identity of the programs (path, size, mtime). What did not is tried again at the
next start: a driver may have come, or the machine was busy."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from fa.core.recipe_needs import known_encoders, known_filters, to_prove
from fa.replication.durable import write_durably
from fa.transcode.sandbox import Sandbox
from fa.transcode.tools import Tools, prove_encoders, prove_filters

log = logging.getLogger(__name__)

Prove = Callable[[list[str]], Awaitable[frozenset[str]]]


class Proofs:
    """`held` are the words that were found to hold, `failed` those that were tried and did not; both None until the
    presets are tried. `say` is called after each change."""

    def __init__(self, identity: str, prove: Prove, kept: Path, say: Callable[[], None]) -> None:
        self.held: frozenset[str] | None = None
        self.failed: frozenset[str] | None = None
        self._identity = identity
        self._prove = prove
        self._kept = kept
        self._say = say
        self._wanted = to_prove(
            [f"encoder:{name}" for name in known_encoders()] + [f"filter:{name}" for name in known_filters()]
        )
        self._news = asyncio.Event()

    def want(self, words: Iterable[str]) -> None:
        """Somebody asks for these as well; what is no word of ours is passed over."""
        wanted = self._wanted | to_prove(words)
        if wanted != self._wanted:
            self._wanted = wanted
            self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        held, failed = self._read(), frozenset[str]()
        while True:
            self._news.clear()
            missing = sorted(self._wanted - held - failed)
            if missing:
                log.info("trying %d encoders and filters", len(missing))
                found = await self._prove(missing)
                held, failed = held | found, failed | (frozenset(missing) - found)
                await asyncio.to_thread(self._keep, held)
            self.held, self.failed = held, failed
            self._say()
            await self._news.wait()

    def _keep(self, held: frozenset[str]) -> None:
        write_durably(self._kept, json.dumps({"identity": self._identity, "proved": sorted(held)}).encode())

    def _read(self) -> frozenset[str]:
        try:
            found: Any = json.loads(self._kept.read_bytes())
        except (FileNotFoundError, ValueError):
            return frozenset()
        if not isinstance(found, dict) or found.get("identity") != self._identity:
            return frozenset()
        return to_prove(word for word in found.get("proved", ()) if isinstance(word, str))


def prover(tools: Tools, sandbox: Sandbox) -> Prove:
    """Tries words with these programs."""

    async def prove(words: list[str]) -> frozenset[str]:
        pairs = [word.split(":", 1) for word in words]
        encoders = await prove_encoders(tools, sandbox, [name for kind, name in pairs if kind == "encoder"])
        filters = await prove_filters(tools, sandbox, [name for kind, name in pairs if kind == "filter"])
        return frozenset([f"encoder:{name}" for name in encoders] + [f"filter:{name}" for name in filters])

    return prove
