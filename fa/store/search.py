"""A `fa.core.query.Query` as SQL over the table `job`: bound parameters only, and one walk of one index a page.

SQLite knows nothing of how rare a state or a word is, so the walk is chosen here. Each walk gives ids in order and
stops at the page's end; several (one for each state asked for) are merged. In an order that is not that of ids, the
walk is that of its index, or of few jobs that are sorted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from fa.core.lifecycle import JobState
from fa.core.query import Compares, Contains, Matches, Query, States, Value
from fa.store.orders import NEWEST, ORDERS, Key, Order
from fa.store.rows import list_of

TRIGRAM = 3
GRAMS_MAX = 16  # asked of the index; the text itself is looked at anyway
# Below so many jobs in the states asked for, looking at each is faster than walking the jobs that hold a text.
STATES_WALKED_MAX = 20_000
WALKS_MAX = 16

_COLUMNS = {
    "factory": "job.factory",
    "monitor": "job.monitor",
    "by": "job.submitted_by",
    "source": "job.source",
    "subject": "job.subject",
}
_PROSE = frozenset({"source", "subject"})  # a value without a wildcard may be any part of these
_TEXT = ("job.source", "job.subject", "job.description")  # as in the index job_text


@dataclass(frozen=True, slots=True)
class Sql:
    text: str
    parameters: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """A page: at most `limit` jobs in an order, those beyond `past` (None = from its start): its key and id."""

    limit: int
    order: Order = ORDERS[NEWEST]
    past: tuple[Key, int] | None = None


def page(query: Query, span: Span, counts: Mapping[JobState, int]) -> Sql:
    """A SELECT of the ids of the page and their keys, in its order. `counts` are jobs by state, as the counters have
    them."""
    beyond = [Sql(*each) for each in span.order.beyond(*span.past)] if span.past else [_ANY]
    walks = [_walk(query, span, walk, past) for walk in _walks(query, counts, span.order) for past in beyond]
    if len(walks) == 1:
        return walks[0]
    text = " UNION ALL ".join(f"SELECT id, key FROM ({walk.text})" for walk in walks)
    parameters = [value for walk in walks for value in walk.parameters]
    order = span.order.sql("key", "id")
    return Sql(f"SELECT id, key FROM ({text}) ORDER BY {order} LIMIT ?", (*parameters, span.limit))


# --- where to walk ---


@dataclass(frozen=True, slots=True)
class _Walk:
    """Rows come FROM `source` in the order of `id`, where `condition` holds; it stands for the term `instead`."""

    source: str
    id: str
    condition: Sql
    instead: object = None


def _walks(query: Query, counts: Mapping[JobState, int], order: Order) -> list[_Walk]:
    states = next((term for term in query.terms if isinstance(term, States)), None)
    wanted = _wanted(states) if states else ()
    many = states is None or sum(counts[state] for state in wanted) > STATES_WALKED_MAX
    grams = [gram for term in query.terms if isinstance(term, Contains) for gram in _trigrams(term)]
    if grams and many:
        return _walks_of_text(grams)
    if not order.by_id and many:
        return [_Walk(f"job INDEXED BY {order.index}", "job.id", _ANY)]
    if states:
        by_state = "job INDEXED BY job_by_state"
        return [_Walk(by_state, "job.id", Sql("job.state = ?", (state.value,)), states) for state in wanted] or [_NONE]
    factories = next((term for term in query.terms if isinstance(term, Matches) and _named(term)), None)
    if factories:
        by_factory = "job INDEXED BY job_by_factory"
        names = sorted({value.text for value in factories.values})
        return [_Walk(by_factory, "job.id", Sql("job.factory = ?", (name,)), factories) for name in names]
    return [_Walk(_ALL, "job.id", _ANY)]


_ANY = Sql("TRUE")
_ALL = "job NOT INDEXED"
_NONE = _Walk(_ALL, "job.id", Sql("FALSE"))


def _walks_of_text(grams: Sequence[str]) -> list[_Walk]:
    """The index of free text, and the few jobs that are not in it yet."""
    some = list(dict.fromkeys(grams))[:GRAMS_MAX]
    match = " AND ".join('"' + gram.replace('"', '""') + '"' for gram in some)
    indexed = "job_text CROSS JOIN job ON job.id = job_text.rowid"
    return [
        _Walk(indexed, "job_text.rowid", Sql("job_text MATCH ?", (match,))),
        _Walk(_ALL, "job.id", Sql("job.id > (SELECT upto FROM job_text_mark)")),
    ]


def _wanted(term: States) -> tuple[JobState, ...]:
    return tuple(state for state in JobState if (state in term.states) is not term.negated)


def _named(term: Matches) -> bool:
    few = len(term.values) <= WALKS_MAX
    return term.field == "factory" and few and not term.negated and not any(value.wild for value in term.values)


def _trigrams(term: Contains) -> list[str]:
    """What the index narrows the search down by: with detail=none it knows no phrases, only three letters each."""
    usable = not term.negated and "\x00" not in term.text and _is_unicode(term.text)
    return [term.text[at : at + TRIGRAM] for at in range(len(term.text) - TRIGRAM + 1)] if usable else []


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _walk(query: Query, span: Span, walk: _Walk, past: Sql) -> Sql:
    terms = (term for term in query.terms if term is not walk.instead)
    conditions = [walk.condition, Sql(span.order.only), *(_narrowed(term, span.order) for term in terms)]
    conditions.append(Sql(past.text.replace("job.id", walk.id), past.parameters))
    where = " AND ".join(f"({condition.text})" for condition in conditions)
    parameters = [value for condition in conditions for value in condition.parameters]
    ids = f"SELECT job.id AS id, {span.order.column} AS key FROM {walk.source}"
    order = span.order.sql(job=walk.id)
    return Sql(f"{ids} WHERE {where} ORDER BY {order} LIMIT ?", (*parameters, span.limit))


def _narrowed(term: object, order: Order) -> Sql:
    """What must hold; a comparison with what is walked is a range of the walk."""
    if isinstance(term, Compares) and not term.negated and len(term.bounds) == 1:
        ((operator, bound),) = term.bounds
        if term.field == "id" or f"job.{term.field}" == order.column:
            return Sql(f"job.{term.field} {operator} ?", (bound,))
    return _condition(term)


# --- what must hold (the + before a column keeps SQLite from walking another index than the chosen one) ---


@singledispatch
def _condition(term: object) -> Sql:
    raise TypeError(f"{term!r} is no term of a query")


@_condition.register
def _(term: States) -> Sql:
    states = [state.value for state in _wanted(term)]
    return Sql("+job.state IN (SELECT value FROM json_each(?))", (list_of(states),))


@_condition.register
def _(term: Compares) -> Sql:
    any_of = [Sql(f"+job.{term.field} {operator} ?", (bound,)) for operator, bound in term.bounds]
    return _either(any_of, term.negated)


@_condition.register
def _(term: Matches) -> Sql:
    if term.field == "node":
        return _ran_on(term)
    column = _COLUMNS[term.field]
    return _either([_match(column, value, term.field in _PROSE) for value in term.values], term.negated)


@_condition.register
def _(term: Contains) -> Sql:
    return _either([_contains(column, term.text) for column in _TEXT], term.negated)


def _ran_on(term: Matches) -> Sql:
    """An attempt of it runs or ran there."""
    any_of = _either([_match("attempt.node", value, part=False) for value in term.values], negated=False)
    jobs = f"SELECT task.job_id FROM attempt JOIN task ON task.id = attempt.task_id WHERE {any_of.text}"
    return Sql(f"job.id {'NOT ' if term.negated else ''}IN ({jobs})", any_of.parameters)


def _match(column: str, value: Value, part: bool) -> Sql:
    if value.wild:
        return Sql(f"{column} GLOB ?", (value.text.replace("[", "[[]"),))
    if part:
        return _contains(column, value.text)
    return Sql(f"{column} = ?", (value.text,))


def _contains(column: str, text: str) -> Sql:
    """Whatever its case: LIKE folds ASCII only, the rest is left to the function :func:`contains`."""
    if not text.isascii() or "\x00" in text:
        return Sql(f"contains(CAST({column} AS BLOB), ?)", (_lower(text.encode("utf-8", "surrogateescape")),))
    return Sql(f"{column} LIKE ? ESCAPE '\\'", (f"%{like(text)}%",))


def like(text: str) -> str:
    """`text` as a part of a LIKE pattern with the escape character ``\\``, in which it stands for itself."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def contains(haystack: bytes, lower: bytes) -> bool:
    """The SQL function `contains`. On bytes, as sqlite3 can hand no text to a function that is not UTF-8."""
    return lower in _lower(haystack)


def _lower(text: bytes) -> bytes:
    return text.decode("utf-8", "surrogateescape").lower().encode("utf-8", "surrogateescape")


def _either(any_of: Sequence[Sql], negated: bool) -> Sql:
    text = " OR ".join(sql.text for sql in any_of)
    return Sql(f"NOT ({text})" if negated else text, tuple(value for sql in any_of for value in sql.parameters))
