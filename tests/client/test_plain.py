"""The plain client against a server that misbehaves."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from fa.client import calls
from fa.client.calls import Call
from fa.client.plain import Client
from fa.client.problems import BadAnswer, Unreachable
from fa.client.target import Target
from fa.errors import NotFound, Unauthorized, Unavailable
from tests.client.fake import Answer, Asked, Authority, FakeArray, closed_port, on_socket, on_tls, problem


def client(target: Target, patience: float = 30.0) -> Client:
    """Its clock stands still but for the waiting, which takes no time."""
    waited = [0.0]

    def sleep(seconds: float) -> None:
        waited[0] += seconds

    keys = (f"key-{number}" for number in itertools.count(1))
    return Client(target, patience=patience, clock=lambda: waited[0], sleep=sleep, new_key=lambda: next(keys))


def test_an_answer_over_the_socket(sock: str) -> None:
    array = FakeArray({"GET /v1/status": {"health": "ok"}}, node="tx03")
    with on_socket(array, sock), client(Target(socket=sock)) as fa:
        assert fa.send(calls.status()) == {"health": "ok"}
        assert fa.node == "tx03"
    assert "Authorization" not in array.asked[0].headers
    assert "Idempotency-Key" not in array.asked[0].headers


def test_a_problem_is_raised_and_not_tried_again(sock: str) -> None:
    array = FakeArray({"GET /v1/jobs/9": problem(404, "not-found", "There is no job 9.", hint="Try fa jobs.")})
    with on_socket(array, sock), client(Target(socket=sock)) as fa, pytest.raises(NotFound, match=r"no job 9\. Try"):
        fa.send(calls.show_job(9))
    assert len(array.asked) == 1


def test_a_write_that_was_cut_is_sent_again_with_the_same_key(sock: str) -> None:
    array = FakeArray({"POST /v1/jobs": [Answer(drop=True), Answer(drop=True), Answer({"id": 1}, 201)]})
    with on_socket(array, sock), client(Target(socket=sock)) as fa:
        assert fa.send(calls.submit({"source": "san:a", "factory": "proxy"})) == {"id": 1}
        fa.send(calls.submit({"source": "san:b", "factory": "proxy"}))
    assert [asked.headers["Idempotency-Key"] for asked in array.asked] == ["key-1"] * 3 + ["key-2"]
    assert array.asked[2].json == {"source": "san:a", "factory": "proxy"}


ONCE = [
    calls.switchover(""),
    calls.create_token("viewer"),
    calls.act_on_job(4, "retry"),
    calls.act_on_jobs([4], "retry"),
]


@pytest.mark.parametrize("call", ONCE, ids=lambda call: call.route)
@pytest.mark.parametrize("trouble", [Answer(drop=True), problem(503, "unavailable", "It may have been done.")])
def test_what_must_not_be_done_twice_is_not_sent_again(sock: str, call: Call, trouble: Answer) -> None:
    """The lead that was handed over would be handed back."""
    array = FakeArray({f"{call.method} {call.target}": [trouble, Answer({})]})
    with (
        on_socket(array, sock),
        client(Target(socket=sock)) as fa,
        pytest.raises((Unavailable, Unreachable), match="may"),
    ):
        fa.send(call)
    assert len(array.asked) == 1


def test_it_goes_over_a_new_connection(sock: str) -> None:
    """One that was idle while somebody was asked whether to do it is closed by the server."""
    with client(Target(socket=sock)) as fa:
        with on_socket(FakeArray({"GET /v1/status": {}}), sock):
            fa.send(calls.status())
        Path(sock).unlink(missing_ok=True)
        with on_socket(FakeArray({"POST /v1/mirror/switchover": {"coordinator": "b"}}), sock):
            assert fa.send(calls.switchover("")) == {"coordinator": "b"}


def test_it_is_when_nothing_was_begun(sock: str) -> None:
    electing = problem(503, "not-coordinator", "There is no coordinator.")
    electing.headers["Fa-Undone"] = "1"
    array = FakeArray({"POST /v1/mirror/switchover": [electing, electing, Answer({"coordinator": "b"})]})
    with on_socket(array, sock), client(Target(socket=sock)) as fa:
        assert fa.send(calls.switchover("")) == {"coordinator": "b"}


def test_an_election_is_waited_for(sock: str) -> None:
    busy = problem(503, "unavailable", "No coordinator.")
    busy.headers["Retry-After"] = "1"
    array = FakeArray({"POST /v1/jobs/4/cancel": [busy, busy, Answer({"id": 4})]})
    with on_socket(array, sock), client(Target(socket=sock)) as fa:
        assert fa.send(calls.act_on_job(4, "cancel")) == {"id": 4}


def test_patience_with_an_election_ends(sock: str) -> None:
    array = FakeArray({"GET /v1/status": problem(503, "unavailable", "No coordinator.")})
    with on_socket(array, sock), pytest.raises(Unavailable, match="No coordinator"):
        client(Target(socket=sock), 5.0).send(calls.status())
    assert 3 < len(array.asked) < 10


def test_an_answer_that_never_comes_may_have_been_carried_out(sock: str) -> None:
    array = FakeArray({"POST /v1/jobs": Answer(drop=True)})
    with on_socket(array, sock), pytest.raises(Unreachable, match="It may have been done"):
        client(Target(socket=sock), 5.0).send(calls.submit({"source": "san:a", "factory": "proxy"}))
    assert len({asked.headers["Idempotency-Key"] for asked in array.asked}) == 1


def test_nobody_listens(sock: str) -> None:
    with client(Target(socket=sock)) as fa, pytest.raises(Unreachable, match="fa run"):
        fa.send(calls.status())


def test_the_next_node_is_asked_and_kept(authority: Authority) -> None:
    one, two = FakeArray({"GET /v1/status": {"via": "a"}}), FakeArray({"GET /v1/status": {"via": "b"}})
    with on_tls(two, authority) as second:
        with on_tls(one, authority) as first:
            target = Target(urls=(closed_port(), first, second), token="fa_t", cafile=authority.cafile)
            fa = client(target)
            assert [fa.send(calls.status())["via"] for _ in range(2)] == ["a", "a"]
        fa.close()  # as the kernel does for a process that is gone
        assert fa.send(calls.status())["via"] == "b"
        fa.close()
    assert one.asked[0].headers["Authorization"] == "Bearer fa_t"


def test_all_addresses_are_named_when_none_answers(authority: Authority) -> None:
    target = Target(urls=(closed_port(), closed_port()), cafile=authority.cafile)
    with pytest.raises(Unreachable) as caught:
        client(target).send(calls.status())
    assert all(url in str(caught.value) for url in target.urls)


def test_a_foreign_certificate_is_refused_before_the_token_is_sent(authority: Authority, tmp_path: Path) -> None:
    array = FakeArray({"GET /v1/status": {}})
    other = Authority.make(tmp_path)
    with on_tls(array, authority) as url, pytest.raises(BadAnswer, match="--cacert"):
        client(Target(urls=(url,), token="fa_t", cafile=other.cafile)).send(calls.status())
    assert not array.asked


def test_no_token(authority: Authority) -> None:
    array = FakeArray({"GET /v1/status": problem(401, "unauthorized", "No token came.")})
    with on_tls(array, authority) as url, pytest.raises(Unauthorized, match="No token came"):
        client(Target(urls=(url,), cafile=authority.cafile)).send(calls.status())


def test_pages_are_fetched_as_they_are_needed(sock: str) -> None:
    def page(asked: Asked) -> dict[str, object]:
        query = parse_qs(urlsplit(asked.path).query)
        first, limit = int(query.get("after", ["0"])[0]), int(query["limit"][0])
        items = [{"id": number} for number in range(first, min(first + limit, 1203))]
        return {"items": items, "next": str(first + limit) if first + limit < 1203 else None}

    array = FakeArray({"GET /v1/jobs": page})
    with on_socket(array, sock), client(Target(socket=sock)) as fa:
        assert [item["id"] for item in fa.pages(calls.list_jobs(q="state:failed"))] == list(range(1203))
        assert len(array.asked) == 3
        assert len(list(fa.pages(calls.list_jobs(), limit=501))) == 501
    assert array.lines()[-1] == "GET /v1/jobs?after=500&limit=1"
    assert array.lines()[0] == "GET /v1/jobs?q=state%3Afailed&limit=500"


def test_something_else_answers(sock: str) -> None:
    with on_socket(FakeArray({"GET /v1/status": b"<html>"}), sock), pytest.raises(BadAnswer, match="html"):
        client(Target(socket=sock)).send(calls.status())


def test_ages_follow_the_clock_of_the_server(sock: str) -> None:
    answer = Answer({}, headers={"Date": "Wed, 01 Jan 2020 00:00:00 GMT"})
    with on_socket(FakeArray({"GET /v1/status": answer}), sock), client(Target(socket=sock)) as fa:
        fa.send(calls.status())
        behind = (fa.now() - datetime.now(UTC)).total_seconds()
        assert behind < -1e7


@pytest.mark.parametrize("name", ["../nodes", "a/b", "a?x=1#y", "a\nb", "Grüße", "\udcff", "%2e"])
def test_a_name_never_becomes_another_path(name: str) -> None:
    target = calls.show_factory(name).target
    assert target.startswith("/v1/factories/")
    assert target.isascii() and not set(target.removeprefix("/v1/factories/")) & set("/?#\n ")


def test_a_call_says_whether_it_writes() -> None:
    assert Call("POST", "/v1/jobs").writes and not calls.status().writes
