"""`fa force`: nothing is changed before somebody has read what may be lost and written the name of the array out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli import samples as s
from tests.cli.conftest import Line
from tests.client.fake import Answer, FakeArray

REPORT = {"array": "news", "node": "b", "report": ["This copy was not in sync: \x1b[31mall after 7 is lost."]}


@pytest.fixture
def desk(array: FakeArray) -> FakeArray:
    array.answers = {"GET /v1/force": REPORT, "POST /v1/force": {"array": "news", "node": "b", "forced": True}}
    return array


def test_the_name_is_typed(fa: Line, desk: FakeArray) -> None:
    done = fa("force", stdin="news\n", tty=True)
    assert done.code == 0 and r"\x1b[31mall after 7 is lost." in done.out and "\x1b" not in done.out
    assert desk.lines() == ["GET /v1/force", "POST /v1/force"]
    assert json.loads(desk.asked[-1].body) == {"array": "news"}


@pytest.mark.parametrize("typed", ["new\n", "y\n", "\n", ""])
def test_any_other_word_changes_nothing(fa: Line, desk: FakeArray, typed: str) -> None:
    done = fa("force", stdin=typed, tty=True)
    assert done.code == 1 and "Nothing was changed" in done.err
    assert desk.lines() == ["GET /v1/force"]


def test_a_script_has_to_know_the_name(fa: Line, desk: FakeArray) -> None:
    refused = fa("force", stdin="news\n")
    assert refused.code != 0 and "--yes-i-know news" in refused.err
    assert fa("force", "--yes-i-know", "hall").code == 1
    assert desk.lines() == ["GET /v1/force"] * 2
    assert fa("force", "--yes-i-know", "news").code == 0
    assert desk.lines()[-1] == "POST /v1/force"


def test_not_from_afar(fa: Line, desk: FakeArray) -> None:
    done = fa("force", "--addr", "https://10.0.0.1:7001", "--yes-i-know", "news")
    assert done.code != 0 and "at the machine itself" in done.err and not desk.asked


def test_the_refusal_of_the_core_is_shown(fa: Line, desk: FakeArray) -> None:
    problem = {"type": "/problems/conflict", "code": "conflict", "status": 409, "detail": "It leads already."}
    desk.answers["POST /v1/force"] = Answer(problem, 409)
    done = fa("force", "--yes-i-know", "news")
    assert done.code == 5 and "It leads already." in done.err


def test_a_volume_that_came_later_is_adopted(fa: Line, array: FakeArray, tmp_path: Path) -> None:
    """Unless another node has one of that name: then this is an empty mount point."""
    (tmp_path / "nas").mkdir()
    words = ("--name", "x", "--node", "a", "--listen", "127.0.0.1:7001", "--volume", f"nas={tmp_path / 'nas'}")
    assert fa("init", *words).code == 0
    identity = tmp_path / "nas" / ".fa" / "volume.json"
    written = identity.read_text()
    identity.unlink()
    array.answers["GET /v1/volumes"] = s.page({**s.VOLUME, "name": "nas", "node": "b", "state": "disconnected"})
    refused = fa("volume", "adopt", "nas")
    assert refused.code != 0 and "is it mounted?" in refused.err and not identity.exists()
    array.answers["GET /v1/volumes"] = s.page({**s.VOLUME, "name": "nas", "node": "a"}, s.VOLUME)
    for _ in range(2):
        done = fa("volume", "adopt", "nas")
        assert done.code == 0 and "is of array x" in done.out and identity.read_text() == written
    identity.write_text('{"array_id": "z", "volume": "nas"}')
    assert "of another array" in fa("volume", "adopt", "nas").err
    assert fa("volume", "adopt", "san").code == 3


def test_selftest_of_a_volume(fa: Line, tmp_path: Path) -> None:
    (tmp_path / "san").mkdir()
    place = str(tmp_path / "a")
    words = ("--name", "x", "--node", "a", "--listen", "127.0.0.1:7001", "--volume", f"san={tmp_path / 'san'}")
    assert fa("init", "--dir", place, *words).code == 0
    done = fa("volume", "selftest", "san", "--dir", place)
    assert done.code == 0 and "volume/san can carry a vote" in done.out, done
    unknown = fa("volume", "selftest", "nas", "--dir", place)
    assert unknown.code == 3 and "Known here: san" in unknown.err
