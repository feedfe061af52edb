"""The blocks of ``-progress``, however they are cut."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from fa.transcode.progress import Progress, ProgressReader

BLOCK = b"""frame=50
fps=24.98
stream_0_0_q=23.0
bitrate= 512.3kbits/s
total_size=131072
out_time_us=2000000
out_time_ms=2000000
out_time=00:00:02.000000
dup_frames=0
speed=1.5x
progress=continue
"""
READ = Progress(frames=50, fps=24.98, seconds=2.0, size=131072, speed=1.5)


def test_a_block() -> None:
    assert ProgressReader().feed(BLOCK) == [READ]


def test_the_last_block_says_so() -> None:
    [last] = ProgressReader().feed(BLOCK.replace(b"continue", b"end"))
    assert last.ended


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 3 * len(BLOCK)), max_size=8))
def test_cuts_do_not_matter(cuts: list[int]) -> None:
    reader, data, found = ProgressReader(), BLOCK * 3, []
    edges = [0, *sorted(cuts), len(data)]
    for start, end in pairwise(edges):
        found += reader.feed(data[start:end])
    assert found == [READ] * 3


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_noise_is_survived(noise: bytes) -> None:
    reader = ProgressReader()
    reader.feed(noise + b"\n")
    reader.feed(b"progress=x\n")  # ends whatever the noise began
    assert reader.feed(BLOCK) == [READ]


def test_nothing_known_is_nothing() -> None:
    [empty] = ProgressReader().feed(
        b"frame=0\nout_time_us=N/A\ntotal_size=N/A\nspeed=N/A\nfps=nan\nprogress=continue\n"
    )
    assert empty == Progress()
    [before] = ProgressReader().feed(b"out_time_us=-9223372036854775808\nspeed=inf\nprogress=continue\n")
    assert (before.seconds, before.speed) == (0.0, 0.0)


def test_an_endless_line_is_not_kept() -> None:
    reader = ProgressReader()
    for _ in range(100):
        reader.feed(b"x" * 10_000)
    assert len(reader._pending) <= 4096


def test_share_and_eta() -> None:
    assert READ.share_of(8.0) == 0.25
    assert READ.share_of(1.0) == 1.0
    assert READ.share_of(None) == 0.0
    assert READ.eta(8.0) == 4.0
    assert READ.eta(1.0) == 0.0
    assert READ.eta(None) is None
    assert Progress().eta(8.0) is None
