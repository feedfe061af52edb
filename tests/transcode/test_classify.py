"""Permanent or worth another try."""

from __future__ import annotations

import pytest

from fa.transcode.classify import classify, is_transient


@pytest.mark.parametrize(
    ("returncode", "error", "permanent", "code"),
    [
        (1, "moov atom not found", True, "bad-source"),
        (183, "Invalid data found when processing input", True, "bad-source"),
        (1, "Unknown encoder 'libnope'", True, "bad-recipe"),
        (1, "Unrecognized option 'nope'", True, "bad-recipe"),
        (
            1,
            "Error reinitializing filters!; Failed to inject frame into filter network: Input/output error",
            True,
            "bad-recipe",
        ),
        (1, "/mnt/san/x: Input/output error", False, "surroundings"),
        (1, "av_interleaved_write_frame(): No space left on device", False, "no-room"),
        (1, "x: Disk quota exceeded", False, "quota"),
        (1, "x: Stale file handle", False, "surroundings"),
        (1, "x: Transport endpoint is not connected", False, "surroundings"),
        (1, "x.part: No such file or directory", False, "surroundings"),
        (1, "Cannot allocate memory", False, "memory"),
        (-9, "", False, "killed"),
        (-11, "", False, "killed"),
        (-25, "", True, "output-too-large"),
        (127, "setpriv: failed to execute", False, "launch"),
    ],
)
def test_verdicts(returncode: int, error: str, permanent: bool, code: str) -> None:
    verdict = classify(returncode, (error,) if error else (), (), stalled=False, what="encode")
    assert (verdict.permanent, verdict.code) == (permanent, code)
    assert error[:20] in verdict.sentence


def test_a_stall_is_worth_another_try() -> None:
    verdict = classify(-15, ("whatever",), (), stalled=True, what="encode")
    assert (verdict.permanent, verdict.code) == (False, "stalled")


def test_a_polite_end_is_a_kill_too() -> None:
    lines = ("frame=3", "[info] Exiting normally, received signal 15.")
    verdict = classify(255, (), lines, stalled=False, what="encode")
    assert (verdict.permanent, verdict.code) == (False, "killed")
    assert "SIGTERM" in verdict.sentence


def test_an_encoder_that_says_nothing_is_the_trouble_of_its_node() -> None:
    """ffmpeg always says what it does not like about a source or a recipe."""
    verdict = classify(1, (), (), stalled=False, what="encode")
    assert (verdict.permanent, verdict.code) == (False, "silent")
    assert "code 1" in verdict.sentence


def test_a_shell_tells_signals_by_its_code() -> None:
    assert classify(137, (), (), stalled=False, what="exec").code == "killed"
    assert classify(255, (), (), stalled=False, what="exec").code == "exec-failed"


def test_a_tool_speaks_for_itself() -> None:
    verdict = classify(2, (), ("usage: tool", "no licence"), stalled=False, what="exec")
    assert (verdict.permanent, verdict.code) == (True, "exec-failed")
    assert "code 2" in verdict.sentence
    assert "no licence" in verdict.sentence


def test_a_crash_is_named() -> None:
    assert "crashed (SIGSEGV)" in classify(-11, (), (), stalled=False, what="encode").sentence
    assert "was killed (signal 64)" in classify(-64, (), (), stalled=False, what="encode").sentence.replace(
        "SIGRTMAX", "signal 64"
    )
    assert "signal 99" in classify(-99, (), (), stalled=False, what="encode").sentence


def test_words_are_not_repeated_and_not_endless() -> None:
    sentence = classify(1, ("a" * 700, "a" * 700, "b."), (), stalled=False, what="encode").sentence
    assert len(sentence) < 800


def test_transient_words() -> None:
    assert is_transient("read: Connection timed out")
    assert not is_transient("Invalid data found")
