"""The file picker of the form that submits."""

from __future__ import annotations

from tests.tui.world import Seat


def form() -> Seat:
    return Seat().press("2", "n")


def source(seat: Seat) -> str:
    return next(row for row in seat.screen if "source" in row).partition("source")[2].strip(" │█")


def test_it_leads_from_the_volumes_to_a_file() -> None:
    seat = form().press("ctrl+o")
    assert "san:" in seat.text and "Volumes" in seat.text
    seat.press("enter")
    assert all(name in seat.text for name in ("in/", "out/", "clip.mxf", "7.3 MB"))
    seat.type("in").press("enter")
    assert "san:in" in seat.text and "news/" in seat.text
    seat.type("b.mx").press("enter")
    assert source(seat).startswith("san:in/b.mxf")
    assert [line for line in seat.asked() if "files" in line] == [
        "GET /v1/volumes/san/files?limit=200",
        "GET /v1/volumes/san/files?path=in&limit=200",
    ]


def test_it_begins_where_the_source_leads_and_goes_up() -> None:
    seat = form().type("san:in/news/x").press("ctrl+o")
    assert "san:in/news" in seat.text and "late-000.mov" in seat.text
    seat.press("enter")  # ..
    assert "a.mxf" in seat.text
    seat.press("enter", "enter")
    assert "Volumes" in seat.text


def test_a_long_folder_goes_on() -> None:
    seat = form().type("san:in/news/").press("ctrl+o").type("…").press("enter")
    seat.type("249").press("enter")
    assert source(seat).startswith("san:in/news/late-249.mov")


def test_what_is_never_read_cannot_be_chosen() -> None:
    seat = form().type("san:").press("ctrl+o").type("link").press("enter")
    assert "never read" in seat.toast and "link" in seat.text
    seat = form().type("san:in/").press("ctrl+o").type("caf").press("enter")
    assert "not UTF-8" in seat.toast


def test_hostile_names_only_show() -> None:
    seat = form().type("san:in/").press("ctrl+o")
    assert "\\x1b[2J" in seat.text and "\x1b" not in seat.text and "\u202e" not in seat.text
    seat.type("bold").press("enter")
    assert "\x1b" not in seat.text


def test_a_folder_that_cannot_be_read_is_told() -> None:
    seat = form().type("san:nowhere/").press("ctrl+o")
    assert "There is no folder san:nowhere" in seat.toast
    assert "Submit a job" in seat.text


def test_an_answer_for_a_form_that_was_left_is_dropped() -> None:
    seat = form().type("san:in/")
    seat.held = True
    seat.press("ctrl+o", "escape").release()
    assert not seat.desk.boxes


def test_tab_completes_names_of_files() -> None:
    seat = form().type("san:i").press("tab")
    assert source(seat).startswith("san:in/")
    seat.press("tab")
    assert "known: " in seat.text and "san:in/a.mxf" in seat.text and "\x1b" not in seat.text
    seat.type("b").press("tab")
    assert source(seat).startswith("san:in/b.mxf")
    assert len([line for line in seat.asked() if "files" in line]) == 2
