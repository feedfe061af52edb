"""Settled files, as their owners report them: each becomes an identity with its jobs in one commit, and the owner is
answered once all of its batch are through."""

from __future__ import annotations

from dataclasses import dataclass, field

from fa.core import monitor_commands as mc
from fa.core import watch_messages as m
from fa.core import work as w
from fa.core.crew import Crew, Effects
from fa.core.work import Moment
from fa.errors import FaError


@dataclass(slots=True)
class _Batch:
    message: m.Sightings
    open: int
    refused: list[str] = field(default_factory=list)
    lost: bool = False  # something could not be decided: the owner comes again


class SightingDesk:
    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._batches: dict[tuple[str, int], _Batch] = {}

    def seen(self, message: m.Sightings, now: Moment) -> Effects:
        """Carry a batch out, unless it is being carried out already: owners repeat what takes long."""
        key = (message.node, message.monitor)
        known = self._batches.get(key)
        if known is not None and known.message == message:
            return []
        batch = self._batches[key] = _Batch(message, len(message.files), [""] * len(message.files))
        if not message.files:
            return self._close(batch)
        return [effect for index in range(len(message.files)) for effect in self._take(batch, index, now)]

    def _take(self, batch: _Batch, index: int, now: Moment) -> Effects:
        monitor, seen = batch.message.monitor, batch.message.files[index]
        if seen.ticket_error:
            return self._refuse(batch, index, seen.ticket_error, now)

        def done(carried: w.Carried, at: Moment) -> Effects:
            result = carried.result
            if isinstance(result, FaError) and result.status < 500 and seen.ticket is not None:
                return self._refuse(batch, index, str(result), at)
            return self._decided(batch, index, result)

        return self._crew.commit(mc.TakeArrival(monitor, seen, now.wall), done)

    def _refuse(self, batch: _Batch, index: int, why: str, now: Moment) -> Effects:
        """A ticket that can lead to nothing is refused once, for ever."""
        command = mc.RefuseArrival(batch.message.monitor, batch.message.files[index], why, now.wall)
        return self._crew.commit(command, lambda carried, _: self._decided(batch, index, carried.result))

    def _decided(self, batch: _Batch, index: int, result: object) -> Effects:
        if isinstance(result, FaError):
            batch.lost = batch.lost or result.status >= 500
            batch.refused[index] = str(result)
        batch.open -= 1
        return self._close(batch) if not batch.open else []

    def _close(self, batch: _Batch) -> Effects:
        message = batch.message
        key = (message.node, message.monitor)
        if self._batches.get(key) is batch:
            del self._batches[key]
        if batch.lost:
            return []
        return [w.Tell(message.node, m.SightingsHeard(message.monitor, message.number, tuple(batch.refused)))]
