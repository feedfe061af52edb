"""The query language: what it means, and what it says to a mistake."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fa.core.lifecycle import JobState
from fa.core.query import Compares, Contains, Matches, Query, States, Term, Value, parse
from fa.errors import Invalid

NOW = 1_700_000_000_000
HOUR = 3_600_000


def only(text: str) -> Term:
    (term,) = parse(text, NOW).terms
    return term


def test_the_example_of_the_design() -> None:
    text = (
        "state:run,fail factory:prores* node:tx0? pri:>=50 since:24h until:2026-11-22T02:00 "
        '-monitor:ingest-b id:7 "free text"'
    )
    assert parse(text, NOW).terms == (
        States((JobState.RUNNING, JobState.FAILED)),
        Matches("factory", (Value("prores*"),)),
        Matches("node", (Value("tx0?"),)),
        Compares("priority", ((">=", 50),)),
        Compares("submitted_at", ((">=", NOW - 24 * HOUR),)),
        Compares("submitted_at", (("<", 1_795_312_800_000),)),
        Matches("monitor", (Value("ingest-b"),), negated=True),
        Compares("id", (("=", 7),)),
        Contains("free text"),
    )


def test_nothing_asks_for_all() -> None:
    assert parse("  \n", NOW) == Query()


@pytest.mark.parametrize("state", JobState)
def test_states_go_by_their_own_name(state: JobState) -> None:
    assert only(f"state:{state}") == States((state,))
    assert only(f"STATE:{state.upper()}") == States((state,))


@pytest.mark.parametrize(
    ("word", "state"),
    [("WAIT", "queued"), ("HELD", "held"), ("RUN", "running"), ("DONE", "succeeded"), ("FAIL", "failed"),
     ("CNCL", "cancelled")],
)  # fmt: skip
def test_states_go_by_the_words_of_the_dashboard(word: str, state: str) -> None:
    assert only(f"state:{word}") == States((JobState(state),))


def test_states_are_a_set() -> None:
    assert only("-state:fail,run,failed") == States((JobState.RUNNING, JobState.FAILED), negated=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("source:a*b", Value("a*b")),
        ('source:"a*b"', Value("a*b", literal=True)),
        ('source:"a b, \\"c\\" \\\\"', Value('a b, "c" \\', literal=True)),
        ('source:san:"my clip".mxf', Value("san:my clip.mxf", literal=True)),
        ("source:back\\slash", Value("back\\slash")),
        ("source:🎬", Value("🎬")),
        ("source:\udcff", Value("\udcff")),
    ],
)
def test_values(text: str, value: Value) -> None:
    assert only(text) == Matches("source", (value,))


def test_only_unquoted_stars_are_wild() -> None:
    assert Value("a*").wild
    assert Value("?").wild
    assert not Value("a*", literal=True).wild
    assert not Value("a").wild


def test_free_text_keeps_its_commas_and_dashes() -> None:
    assert parse('a,b -c "-d" "state:run"', NOW).terms == (
        Contains("a,b"),
        Contains("c", negated=True),
        Contains("-d"),
        Contains("state:run"),
    )


@pytest.mark.parametrize(
    ("text", "bounds"),
    [("pri:high", ((("=", 75)),)), ("priority:<=low,>90", (("<=", 25), (">", 90))), ("prio:Urgent", (("=", 100),))],
)
def test_priorities_have_names(text: str, bounds: tuple[tuple[str, int], ...]) -> None:
    assert only(text) == Compares("priority", bounds)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90m", NOW - 90 * 60_000),
        ("7d", NOW - 168 * HOUR),
        ("2w", NOW - 336 * HOUR),
        ("30s", NOW - 30_000),
        ("1970-01-02", 24 * HOUR),
        ("1970-01-01T02:00", 2 * HOUR),
        ("1970-01-01T02:00Z", 2 * HOUR),
        ("1970-01-01T02:00:00.5+01:00", HOUR + 500),
        ('"1970-01-01 02:00"', 2 * HOUR),
    ],
)
def test_times(text: str, at: int) -> None:
    assert only(f"since:{text}") == Compares("submitted_at", ((">=", at),))
    assert only(f"until:{text}") == Compares("submitted_at", (("<", at),))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("stat:run", "Did you mean state:?"),
        ("label.show:news6", "no field 'label.show'"),
        ("san:in/clip.mxf", '"san:in/clip.mxf"'),
        ("state:rnning", "Did you mean running?"),
        ("state:xyz", "States are queued, held, running"),
        ("pri:x", "50, >=50, <50, low, normal, high, urgent"),
        ("id:high", "not a number to compare id with"),
        ("id:99999999999999999999", "not a number"),
        ("id:٣", "not a number"),
        ("since:tomorrow", "Write 90m, 24h, 7d"),
        ("since:1h,2h", "one time"),
        ('"never closed', "never closed"),
        ("state:", "Nothing follows 'state:'"),
        ("-", "Nothing follows '-'"),
        ('""', "Nothing follows"),
        ("node:,", "Nothing follows 'node:,'"),
        ("x" * 1_001, "at most 1000"),
        ("a " * 33, "at most 32"),
        ("half \ud800", "half a character"),
    ],
)
def test_mistakes_are_explained(text: str, says: str) -> None:
    with pytest.raises(Invalid) as raised:
        parse(text, NOW)
    assert says in str(raised.value)


def test_the_spelling_is_one_for_all_ways_to_ask() -> None:
    assert parse(' PRI:>=50   prio:high  "a b"', NOW).text == 'priority:>=50 priority:high "a b"'
    assert parse("since:24h", NOW).text == parse("since:24h", NOW + HOUR).text


@settings(derandomize=True, database=None, deadline=None)
@given(st.text(alphabet=st.sampled_from('ab:,"\\-*? \n<>=5é') | st.characters(), max_size=40))
def test_any_text_is_a_query_or_a_mistake(text: str) -> None:
    try:
        query = parse(text, NOW)
    except Invalid:
        return
    assert parse(query.text, NOW) == query
