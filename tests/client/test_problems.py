"""Problems become the errors of the house."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fa import errors
from fa.client.problems import kind_of, problem
from fa.errors import FaError


def test_every_error_of_the_floor_comes_back_as_itself() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, FaError)]
    assert len(kinds) >= 10
    for kind in kinds:
        body = json.dumps({"code": kind.code, "detail": "What.", "hint": "Do."}).encode()
        error = problem(kind.status, body)
        assert (type(error), error.detail, error.hint) == (kind, "What.", "Do.")


@pytest.mark.parametrize(("status", "kind"), [(404, errors.NotFound), (422, errors.Unprocessable), (418, FaError)])
def test_a_code_of_a_newer_server_is_known_by_its_status(status: int, kind: type[FaError]) -> None:
    assert kind_of("a-code-of-tomorrow", status) is kind


def test_fields_and_request_are_told() -> None:
    body = {"title": "No", "errors": [{"pointer": "/source", "detail": "names no volume"}], "request_id": "r7"}
    error = problem(400, json.dumps(body).encode(), {"Fa-Node": "tx03"})
    assert error.detail == "No\n  /source: names no volume"
    assert error.__notes__ == ["asked tx03, request r7"]


@settings(deadline=None, derandomize=True, database=None)
@given(st.binary())
def test_any_body_gives_an_error_with_a_sentence(body: bytes) -> None:
    assert problem(500, body).detail


@pytest.mark.parametrize("body", [b"[1]", b"{}", b'{"errors": 3, "detail": null}', b"[" * 5000])
def test_objects_of_another_shape(body: bytes) -> None:
    assert problem(500, body).detail == "The server answered 500."
