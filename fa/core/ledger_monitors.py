"""Monitors, and what arrives through them: an identity and its jobs are one change, made once (DESIGN.md section 6)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fa.core import monitor_commands as m
from fa.core.arrivals import Arrival, Fate, MonitorRow, Sighting
from fa.core.change import Change
from fa.core.commands import SubmitJobs
from fa.core.ledger_alerts import clear_all
from fa.core.ledger_jobs import submit
from fa.core.ledger_setup import Stale, is_repeated
from fa.core.model import NewJob
from fa.core.monitor import Monitor, parse_monitor
from fa.errors import NotFound, Unprocessable


class UnknownTarget(Unprocessable):
    """The monitor names a factory or a node that the array does not have."""

    code = "unknown-target"


@dataclass(frozen=True, slots=True)
class Taken:
    """`new`: it was not known before. `jobs`: those that it was given now."""

    new: bool
    jobs: tuple[int, ...] = ()


# --- setting up ---


def save(change: Change, command: m.SaveMonitor) -> MonitorRow:
    monitor = parse_monitor(command.text)
    known = change.tables.monitor_named(monitor.name)
    if known and is_repeated(command.text, command.expected, known):
        return known
    if command.expected is not None and command.expected != (known.version if known else 0):
        raise Stale
    _check_names(change, monitor)
    if known is None:
        row = MonitorRow(0, monitor.name, 1, command.text, True, "", 0, "", command.at, command.by)
        row = replace(row, id=change.tables.add_monitor(row))
    else:
        row = replace(known, version=known.version + 1, text=command.text)
        change.tables.save_monitor(row)
    change.note(command.at, "monitor.saved", "info", f"monitor/{row.name}", f"version {row.version} by {command.by}")
    change.fact(m.MonitorChanged(row))
    return row


def _check_names(change: Change, monitor: Monitor) -> None:
    for name in monitor.factories:
        if change.tables.factory(name) is None:
            hint = "`fa factories` lists them; apply the factory first."
            raise UnknownTarget(f"Monitor {monitor.name} names the factory {name!r}, which does not exist.", hint=hint)
    node = change.tables.node(monitor.node) if monitor.node else None
    if monitor.node and (node is None or node.removed_at is not None):
        hint = "`fa nodes` lists them; without `node` any node that has the volume watches."
        raise UnknownTarget(f"Monitor {monitor.name} is pinned to {monitor.node!r}, which is no node.", hint=hint)


def _monitor(change: Change, name: str) -> MonitorRow:
    row = change.tables.monitor_named(name)
    if row is None:
        raise NotFound(f"There is no monitor {name[:80]!r}.", hint="`fa monitors` lists them.")
    return row


def enable(change: Change, command: m.EnableMonitor) -> MonitorRow:
    row = _monitor(change, command.name)
    if row.enabled is command.on:
        return row
    changed = replace(row, enabled=command.on, version=row.version + 1)
    change.tables.save_monitor(changed)
    word = "enabled" if command.on else "disabled"
    change.note(command.at, f"monitor.{word}", "info", f"monitor/{row.name}", f"{word} by {command.by}")
    change.fact(m.MonitorChanged(changed))
    return changed


def remove(change: Change, command: m.RemoveMonitor) -> None:
    row = _monitor(change, command.name)
    change.tables.remove_monitor(row.id)
    clear_all(change, f"monitor/{row.name}", command.at)
    change.note(command.at, "monitor.removed", "info", f"monitor/{row.name}", f"removed by {command.by}")
    change.fact(m.MonitorGone(row.id, row.name))


def assign(change: Change, command: m.AssignMonitor) -> MonitorRow | None:
    """None when it was removed meanwhile."""
    row = change.tables.monitor(command.monitor)
    if row is None or row.owner == command.owner:
        return row
    changed = replace(row, owner=command.owner)
    change.tables.save_monitor(changed)
    text = f"watched by {command.owner}" if command.owner else "no node can watch it"
    severity = "info" if command.owner else "warning"
    change.note(command.at, "monitor.owner", severity, f"monitor/{row.name}", f"{text}: {command.reason}")
    change.fact(m.MonitorChanged(changed))
    return changed


# --- what arrives ---


def take(change: Change, command: m.TakeArrival) -> Taken:
    """Raises what submitting raises; nothing is kept then, and the file may come again."""
    row = change.tables.monitor(command.monitor)
    if row is None or not row.enabled:
        return Taken(False)  # removed or disabled meanwhile: who watches is being told, and forgets what it saw
    known = change.tables.arrival_like(row.id, command.seen)
    if known is not None:
        if known.ctime_ns != command.seen.ctime_ns:
            change.tables.save_arrival(replace(known, ctime_ns=command.seen.ctime_ns))
        return Taken(False)
    monitor, seen = parse_monitor(row.text), command.seen
    if not _is_below(monitor, seen):
        return Taken(False)  # likewise: the monitor watched another folder
    by = f"monitor:{row.name}"
    done = submit(change, SubmitJobs(_jobs(monitor, seen, command.at), command.at, by, monitor=row.name))
    answer = seen.ticket is not None and seen.ticket.answer
    waits = answer or bool(monitor.moves)
    fate = Fate.OPEN if waits else Fate.OVER
    change.tables.add_arrival(_arrival(row, seen, command.at, fate, answer, jobs=done.jobs if waits else ()))
    _count(change, row, seen)
    return Taken(True, done.jobs)


def _is_below(monitor: Monitor, seen: Sighting) -> bool:
    return seen.path.startswith(f"{monitor.folder.path}/")


def _jobs(monitor: Monitor, seen: Sighting, at: int) -> tuple[NewJob, ...]:
    ticket = seen.ticket
    if ticket is None:
        source, factories, defer = f"{monitor.folder.volume}:{seen.path}", monitor.factories, monitor.defer
        priority, subject, description = monitor.priority, monitor.subject, ""
    else:
        source, factories, defer = ticket.source, ticket.factories or monitor.factories, ticket.defer or monitor.defer
        priority = monitor.priority if ticket.priority is None else ticket.priority
        subject, description = ticket.subject or monitor.subject, ticket.description
    until = at + int(defer * 1000) if defer else None
    return tuple(NewJob(source, factory, priority, subject, description, until) for factory in factories)


def _arrival(
    row: MonitorRow, seen: Sighting, at: int, fate: Fate, answer: bool, error: str = "", jobs: tuple[int, ...] = ()
) -> Arrival:
    identity = (seen.path, seen.size, seen.mtime_ns, seen.digest, seen.ctime_ns)
    return Arrival(0, row.id, *identity, at, fate, answer, error, jobs)


def _count(change: Change, row: MonitorRow, seen: Sighting) -> None:
    counted = replace(row, submitted=row.submitted + 1, last_file=seen.path)
    change.tables.save_monitor(counted)
    change.fact(m.MonitorChanged(counted))


def refuse(change: Change, command: m.RefuseArrival) -> Taken:
    """Keep the identity of a ticket that can lead to nothing. Who wrote it is answered if it asks for that, or if
    nobody could read whether it does."""
    row = change.tables.monitor(command.monitor)
    if row is None or change.tables.arrival_like(row.id, command.seen) is not None:
        return Taken(False)
    monitor, seen = parse_monitor(row.text), command.seen
    if not _is_below(monitor, seen):
        return Taken(False)
    answer = seen.ticket is None or seen.ticket.answer
    fate = Fate.FAILED if answer or monitor.after_failure else Fate.OVER
    arrival = _arrival(row, seen, command.at, fate, answer, command.error)
    arrival = replace(arrival, id=change.tables.add_arrival(arrival))
    change.note(command.at, "monitor.refused", "warning", f"monitor/{row.name}", f"{seen.path}: {command.error}")
    if fate is Fate.FAILED:
        change.fact(m.AfterDue(arrival))
    return Taken(True)


def end(change: Change, command: m.EndArrival) -> bool:
    """False when that was known."""
    arrival = change.tables.arrival(command.arrival)
    if arrival is None or arrival.fate in (Fate.OVER, Fate.OPEN):
        return False
    change.tables.save_arrival(replace(arrival, fate=Fate.OVER))
    return True
