"""Alerts: one row while the same trouble lasts, a line of history and a notice when it begins and when it is over."""

from __future__ import annotations

from dataclasses import replace

from fa.core import alarms as a
from fa.core.change import Change
from fa.core.model import Alert
from fa.errors import NotFound


def raise_alert(change: Change, command: a.RaiseAlert) -> Alert:
    """While an alert is open, raising it again changes nothing: one trouble, one row, one mail."""
    if known := change.tables.open_alert(command.kind, command.subject):
        return known
    return _write(change, Alert(0, command.at, command.kind, command.subject, command.text))


def happened(change: Change, kind: str, subject: str, text: str, at: int) -> Alert:
    """Something that is over already: told and written down, and open for nobody."""
    return _write(change, Alert(0, at, kind, subject, text, cleared_at=at))


def _write(change: Change, alert: Alert) -> Alert:
    alert = replace(alert, id=change.tables.add_alert(alert))
    severity = a.severity_of(alert.kind)
    change.note(alert.at, alert.kind, severity, alert.subject, alert.text)
    change.notify(alert.at, alert.kind, severity, alert.subject, alert.text)
    change.fact(a.AlertChanged(alert))
    return alert


def clear_alert(change: Change, command: a.ClearAlert) -> bool:
    known = change.tables.open_alert(command.kind, command.subject)
    if known is None:
        return False
    _clear(change, known, command.at)
    return True


def clear_all(change: Change, scope: str, at: int) -> None:
    """Whatever is open of this scope: there is nobody any more who could say that it is over."""
    for alert in change.tables.open_alerts():
        if _inside(alert.subject, scope):
            _clear(change, alert, at)


def _clear(change: Change, alert: Alert, at: int) -> None:
    cleared = replace(alert, cleared_at=at)
    change.tables.save_alert(cleared)
    text = f"over: {alert.text}"
    change.note(at, f"{alert.kind}.over", "info", alert.subject, text)
    change.notify(at, f"{alert.kind}.over", "info", alert.subject, text)
    change.fact(a.AlertChanged(cleared))


def ack_alert(change: Change, command: a.AckAlert) -> Alert:
    known = change.tables.alert(command.alert)
    if known is None:
        raise NotFound(f"There is no alert {command.alert}.", hint="`fa alerts` lists them.")
    if known.acked_at is not None:
        return known
    acked = replace(known, acked_at=command.at, acked_by=command.by)
    change.tables.save_alert(acked)
    change.note(command.at, "alert.acked", "info", known.subject, f"alert {known.id} seen by {command.by}")
    change.fact(a.AlertChanged(acked))
    return acked


def tell_troubles(change: Change, command: a.TellTroubles) -> bool:
    """Open what stands, close what of this scope no longer does, write down what happened; True when that was new."""
    before = len(change.facts)
    standing = {(trouble.kind, trouble.subject) for trouble in command.troubles if not trouble.number}
    for alert in change.tables.open_alerts():
        told = alert.kind in a.STANDING and _inside(alert.subject, command.scope)
        if told and (alert.kind, alert.subject) not in standing:
            _clear(change, alert, command.at)
    for trouble in command.troubles:
        if not trouble.number and trouble.kind in a.STANDING and _inside(trouble.subject, command.scope):
            raise_alert(change, a.RaiseAlert(trouble.kind, trouble.subject, trouble.text, command.at))
    _note_moments(change, command)
    return len(change.facts) > before


def _note_moments(change: Change, command: a.TellTroubles) -> None:
    fact = f"told/{command.scope}"
    last = told = int(change.tables.fact(fact) or 0)
    for trouble in sorted(command.troubles, key=lambda trouble: trouble.number):
        if trouble.number > last and _inside(trouble.subject, command.scope):
            happened(change, trouble.kind, trouble.subject, trouble.text, command.at)
            told = trouble.number
    if told > last:
        change.tables.put_fact(fact, str(told))


def _inside(subject: str, scope: str) -> bool:
    """A node speaks for itself; who leads for the array and all that is no node's own (``volume/san``)."""
    if scope == a.ARRAY:
        return not subject.startswith("node/")
    return subject == scope or subject.startswith(f"{scope}/")


def remark(change: Change, command: a.Remark) -> None:
    change.note(command.at, command.kind, "info", command.subject, command.text)


def end_notices(change: Change, command: a.EndNotices) -> int:
    """How many of them were still open; one that could not be delivered leaves a line of history."""
    count = 0
    for number, outcome in command.ended:
        notice = change.tables.notice(number)
        if notice is None or notice.done_at is not None:
            continue
        change.tables.save_notice(replace(notice, done_at=command.at, outcome=outcome))
        if outcome:
            change.note(command.at, "notice.failed", "warning", notice.subject, f"{notice.kind}: {outcome}")
        count += 1
    return count
