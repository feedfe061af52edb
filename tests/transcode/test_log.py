"""Logs: bounded on disk, read for errors, harmless to show."""

from __future__ import annotations

from pathlib import Path

from fa.transcode.log import KEPT_LINES, LogFile, LogReader, printable


def read(text: str) -> LogReader:
    reader = LogReader()
    reader.feed(text.encode())
    reader.close()
    return reader


def test_errors_are_told_apart_and_shortened() -> None:
    reader = read(
        "[info] Input #0\n[h264 @ 0x55d0] [error] error while decoding MB 67 36\n"
        "[vist#0:0/h264 @ 0x1] [dec:h264 @ 0x2] [error] Invalid data\n[NULL @ 0x3] [error] Invalid NAL\n"
        "[error] Conversion failed!\n[fatal] Unknown encoder 'x'\n[aac @ 0x1] [warning] Too many bits\n"
    )
    assert reader.errors == [
        "h264: error while decoding MB 67 36",
        "dec:h264: Invalid data",
        "Invalid NAL",
        "Conversion failed!",
        "Unknown encoder 'x'",
    ]


def test_what_only_sounds_bad_is_no_error() -> None:
    reader = read(
        "[mov @ 0x1] [error] Unsupported codec with id 0 for input stream 2\n    Last message repeated 3 times\n"
    )
    assert (reader.errors, reader.error_count) == ([], 0)


def test_millions_of_errors_are_counted_not_kept() -> None:
    reader = LogReader()
    for number in range(1000):
        reader.feed(f"[error] {number}\n".encode())
    assert (len(reader.errors), reader.error_count, len(reader.lines)) == (KEPT_LINES, 1000, KEPT_LINES)


def test_lines_may_come_in_pieces_and_end_with_returns() -> None:
    reader = LogReader()
    for piece in (b"[err", b"or] bro", b"ken\rframe=1\rframe=2\r", b"the end"):
        reader.feed(piece)
    reader.close()
    assert reader.errors == ["broken"]
    assert list(reader.lines) == ["[error] broken", "frame=1", "frame=2", "the end"]


def test_a_line_without_end_is_not_kept() -> None:
    reader = LogReader()
    for _ in range(100):
        reader.feed(b"x" * 10_000)
    assert len(reader._pending) <= 2000


def test_foreign_text_cannot_command_a_terminal() -> None:
    assert printable("a\x1b[31mb\u202ec\x9bd\ne") == "a�[31mb�c�d�e"
    assert read("[error] \x1b]0;owned\x07\n").errors == ["�]0;owned�"]


def test_head_and_tail_are_kept(tmp_path: Path) -> None:
    log = LogFile((tmp_path / "log").open("wb", buffering=0), head=10, tail=6)
    log.write(b"0123456")
    log.write(b"789abcdefgh")
    assert (tmp_path / "log").read_bytes() == b"0123456789", "the head can be read while it runs"
    log.write(b"ijkl")
    log.close()
    assert (tmp_path / "log").read_bytes() == b"0123456789\n[... 6 bytes left out by fa ...]\nghijkl"


def test_a_short_log_is_kept_whole(tmp_path: Path) -> None:
    log = LogFile((tmp_path / "log").open("wb", buffering=0), head=4, tail=6)
    for byte in b"0123456789":
        log.write(bytes([byte]))
    log.close()
    assert (tmp_path / "log").read_bytes() == b"0123456789"
