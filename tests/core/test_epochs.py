"""The first commit of an epoch (SAFETY.md R7)."""

from __future__ import annotations

from fa.core.commands import BeginEpoch
from fa.core.ledger import Ledger
from fa.core.model import Reign
from fa.store.memory import MemoryTables


def test_the_first_commit_of_a_view_that_was_overtaken_changes_nothing() -> None:
    """Two views one after the other, both first commits made when the newer one is known already."""
    tables = MemoryTables()
    ledger = Ledger(tables)
    for _ in range(2):
        assert ledger.apply(BeginEpoch(4097, "a", 1000)).value == 4097
    assert tables.last_reign() == Reign(4097, "a", "", 1000)
    assert ledger.apply(BeginEpoch(6146, "b", 2000)).value == 6146
    assert tables.last_reign() == Reign(6146, "b", "a", 2000)
