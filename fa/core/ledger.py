"""The rules by which commands change the store: the one place that writes job state.

`Ledger.apply` runs inside the writer's transaction. A command either changes everything that it should, or raises and
the writer rolls it back. What comes out (`Outcome`) is shown and acted on only once the commit is acknowledged by
every copy in the in-sync set (SAFETY.md R1, R9). The same code runs on SQLite and on the in-memory twin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fa.core import commands as c
from fa.core import ledger_alerts as alerts
from fa.core import ledger_attempts as attempts
from fa.core import ledger_jobs as jobs
from fa.core import ledger_monitors as monitors
from fa.core import ledger_setup as setup
from fa.core import ledger_upkeep as upkeep
from fa.core import monitor_commands as m
from fa.core.blueprint import Recipes
from fa.core.change import Change, Outcome
from fa.core.tables import Tables

__all__ = ["Change", "Ledger", "Outcome", "Recipes"]

_Rule = Callable[[Change, Any], Any]

RULES: dict[type, _Rule] = {
    c.SubmitJobs: jobs.submit,
    c.ActOnJobs: jobs.act,
    c.SetPriority: jobs.set_priority,
    c.Dispatch: attempts.dispatch,
    c.AskPublish: attempts.ask_publish,
    c.FinishAttempt: attempts.finish,
    c.FailAttempt: attempts.fail,
    c.GiveAway: attempts.give_away,
    c.Unsettle: attempts.unsettle,
    c.BeginEpoch: setup.begin_epoch,
    c.SaveFactory: setup.save_factory,
    c.RemoveFactory: setup.remove_factory,
    c.PutNode: setup.put_node,
    c.NodeCame: setup.node_came,
    c.SetNodeMode: setup.set_node_mode,
    c.RemoveNode: setup.remove_node,
    c.PutToken: setup.put_token,
    c.UseToken: setup.use_token,
    c.RemoveToken: setup.remove_token,
    c.RaiseAlert: alerts.raise_alert,
    c.ClearAlert: alerts.clear_alert,
    c.AckAlert: alerts.ack_alert,
    c.TellTroubles: alerts.tell_troubles,
    c.EndNotices: alerts.end_notices,
    c.Remark: alerts.remark,
    c.SetQuarantine: setup.set_quarantine,
    c.NoteDrained: setup.note_drained,
    c.KeepHouse: upkeep.keep_house,
    m.SaveMonitor: monitors.save,
    m.EnableMonitor: monitors.enable,
    m.RemoveMonitor: monitors.remove,
    m.AssignMonitor: monitors.assign,
    m.TakeArrival: monitors.take,
    m.RefuseArrival: monitors.refuse,
    m.EndArrival: monitors.end,
}


class Ledger:
    """Applies commands to tables. Keeps nothing but parsed recipes, each beside the text that it was made of."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._recipes = Recipes()

    def apply(self, command: c.Command) -> Outcome:
        """Carry the command out; raises `FaError` when it cannot be, and then nothing may be kept."""
        change = Change(self._tables, self._recipes)
        value = RULES[type(command)](change, command)
        return Outcome(value, tuple(change.facts))
