"""The JSON of DESIGN.md section 7."""

from __future__ import annotations

import json
from dataclasses import replace

from fa.core.lifecycle import JobState, TaskState
from fa.core.model import Alert, AttemptState, Event, FactoryVersion, Role, Token
from fa.store.pages import JobView
from fa.store.shapes import (
    alert_shape,
    attempt_shape,
    event_shape,
    factory_shape,
    job_shape,
    printable,
    time_of,
    token_shape,
)
from tests.store.make import JOB, OUTPUT, TASK, attempt_of


def test_a_job_has_the_shape_of_the_design() -> None:
    job = replace(JOB, id=7, state=JobState.SUCCEEDED, finished_at=1_700_000_000_123)
    task = replace(TASK, id=9, job=7, state=TaskState.SUCCEEDED, attempt=2, node="a", output=OUTPUT)
    shape = job_shape(JobView(job, (task,)))
    assert json.loads(json.dumps(shape)) == {
        "id": 7,
        "state": "succeeded",
        "factory": "proxy",
        "factory_version": 1,
        "source": "san:in/clip.mxf",
        "subject": "news",
        "description": "evening",
        "priority": 50,
        "submitted_at": "1970-01-01T00:00:01.000Z",
        "submitted_by": "operator:3f2a",
        "monitor": "news-in",
        "finished_at": "2023-11-14T22:13:20.123Z",
        "tasks": [
            {
                "id": 9,
                "product": "proxy",
                "state": "succeeded",
                "attempt": 2,
                "failures": 0,
                "node": "a",
                "phase": None,
                "progress": 1.0,
                "destination": "san:out/clip.mp4",
                "deferred_until": None,
                "error": None,
                "output": {"path": "san:out/clip.mp4", "bytes": 123_456_789_012, "sha256": "ab" * 32},
            }
        ],
    }


def test_what_is_not_there_is_null() -> None:
    shape = job_shape(JobView(replace(JOB, monitor=""), (TASK,)))
    assert shape["finished_at"] is None
    assert shape["monitor"] is None
    task = shape["tasks"][0]
    assert [task[field] for field in ("node", "error", "output", "progress")] == [None, None, None, 0.0]


def test_times_keep_their_milliseconds() -> None:
    assert time_of(1_700_000_000_009) == "2023-11-14T22:13:20.009Z"
    assert time_of(-1) == "1969-12-31T23:59:59.999Z"
    assert time_of(None) is None


def test_broken_names_can_be_said_in_json() -> None:
    shape = job_shape(JobView(replace(JOB, source="san:caf\udce9 é"), ()))
    assert shape["source"] == "san:caf\\xe9 é"
    assert json.dumps(shape, ensure_ascii=False).encode()
    assert printable("plain") == "plain"


def test_the_other_rows() -> None:
    attempt = attempt_of(replace(TASK, id=9), 2, state=AttemptState.FAILED, finished_at=3_000, error="bad")
    assert attempt_shape(attempt) == {
        "task": 9,
        "attempt": 2,
        "node": "a",
        "epoch": 3,
        "state": "failed",
        "started_at": "1970-01-01T00:00:02.000Z",
        "finished_at": "1970-01-01T00:00:03.000Z",
        "error": "bad",
        "output": None,
    }
    assert event_shape(Event(1_000, "node.lost", "error", "node/b", "silent", 5)) == {
        "id": 5,
        "at": "1970-01-01T00:00:01.000Z",
        "kind": "node.lost",
        "severity": "error",
        "subject": "node/b",
        "text": "silent",
    }
    assert alert_shape(Alert(3, 1_000, "solo", "array", "one copy"))["acked_by"] is None
    assert factory_shape(FactoryVersion("proxy", 2, "name", 1_000))["version"] == 2


def test_a_token_is_shown_without_its_hash() -> None:
    shape = token_shape(Token("3f2a", Role.OPERATOR, "secret-hash", 1_000, label="desk"))
    assert "secret-hash" not in json.dumps(shape)
    assert shape["role"] == "operator"
