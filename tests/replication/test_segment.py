"""The codec: round trips, and every kind of damage refused."""

from __future__ import annotations

import dataclasses

import pytest
from fastcrc.crc64 import go_iso
from hypothesis import given
from hypothesis import strategies as st

from fa.replication.checksum import HIGH_BIT, PageSums, lock_page, page_sum, scan
from fa.replication.envelope import SIZE, Envelope, unpack
from fa.replication.errors import SegmentCorrupt, SegmentTruncated
from fa.replication.segment import (
    TAIL_SIZE,
    Header,
    decode,
    encode,
    extents,
    file_name,
    parse_index,
    parse_name,
    read_uvarint,
    uvarint,
)
from tests.replication.conftest import ARRAY

HEADER = Header(512, 9, 5, 7, 1_700_000_000_123, 42, 32, 1072, 0xFFFFFFFF, 1)
PAGES = [(1, bytes(512)), (3, bytes(range(256)) * 2), (9, b"\xff" * 512)]
RAW = encode(HEADER, PAGES)


def test_the_crc_is_the_one_that_go_calls_iso() -> None:
    assert go_iso(b"123456789") == 0xB90956C775A41001


def test_what_was_encoded_is_decoded() -> None:
    segment = decode(RAW)
    assert segment.header == HEADER
    assert segment.pages == PAGES
    assert not HEADER.is_snapshot


@given(
    st.dictionaries(st.integers(1, 40), st.binary(min_size=512, max_size=512), max_size=12),
    st.integers(40, 2**32 - 1),
    st.integers(2, 2**63),
)
def test_round_trip(pages: dict[int, bytes], commit: int, txid: int) -> None:
    header = Header(512, commit, txid, txid, 0)
    assert decode(encode(header, sorted(pages.items()))).pages == sorted(pages.items())


def test_every_flipped_bit_is_noticed_or_harmless() -> None:
    """LTX hashes pages, not LZ4 blocks: a flip may name another copy of the same bytes. Nothing else may pass."""
    harmless = 0
    for position in range(len(RAW)):
        for bit in (1, 16, 128):
            damaged = bytearray(RAW)
            damaged[position] ^= bit
            try:
                assert decode(bytes(damaged)).pages == PAGES
                assert 100 < position < len(RAW) - TAIL_SIZE
                harmless += 1
            except SegmentCorrupt:
                continue
    assert harmless < 20


def test_every_truncation_is_noticed() -> None:
    for length in range(len(RAW)):
        with pytest.raises(SegmentCorrupt):
            decode(RAW[:length])
    with pytest.raises(SegmentTruncated):
        decode(RAW[:-1])
    with pytest.raises(SegmentTruncated):
        decode(b"")


def test_bytes_behind_the_end_are_noticed() -> None:
    with pytest.raises(SegmentCorrupt):
        decode(RAW + b"\0")


@pytest.mark.parametrize(
    ("header", "pages"),
    [
        (dataclasses.replace(HEADER, min_txid=1), PAGES),
        (Header(65536, lock_page(65536), 2, 2, 0), [(lock_page(65536), bytes(65536))]),
    ],
    ids=["a snapshot with holes", "the lock page"],
)
def test_segments_that_a_restore_would_choke_on_are_refused(header: Header, pages: list[tuple[int, bytes]]) -> None:
    with pytest.raises(SegmentCorrupt):
        decode(encode(header, pages))


def test_legacy_page_frames_are_refused_with_a_sentence() -> None:
    damaged = bytearray(RAW)
    damaged[105] = 0
    with pytest.raises(SegmentCorrupt, match=r"0\.5\.16"):
        decode(bytes(damaged))


def test_the_index_names_every_page() -> None:
    back, length = parse_index(RAW[-TAIL_SIZE:])
    found = list(extents(RAW[len(RAW) - back : len(RAW) - back + length]))
    assert [extent.number for extent in found] == [1, 3, 9]
    assert found[0].offset == 100
    assert all(int.from_bytes(RAW[e.offset : e.offset + 4], "big") == e.number for e in found)


@given(st.integers(0, 2**64 - 1))
def test_uvarint(value: int) -> None:
    raw = uvarint(value)
    assert read_uvarint(raw + b"x", 0) == (value, len(raw))


def test_uvarint_that_never_ends() -> None:
    with pytest.raises(SegmentTruncated):
        read_uvarint(b"\x80", 0)
    with pytest.raises(SegmentCorrupt):
        read_uvarint(b"\x80" * 11, 0)


def test_file_names() -> None:
    assert file_name(1, 255) == "0000000000000001-00000000000000ff.ltx"
    assert parse_name("0000000000000001-00000000000000ff.ltx") == (1, 255)
    for other in ("x", "a-b.ltx", file_name(1, 2) + ".tmp", file_name(2, 1), file_name(0, 1), "\n" + file_name(1, 2)):
        assert parse_name(other) is None
    assert parse_name("000000000000000A-00000000000000ff.ltx") is None, "Litestream writes lower case"


def test_envelope_round_trip_and_damage() -> None:
    envelope = Envelope(ARRAY, 7, 3, 5, 7, HIGH_BIT | 1, HIGH_BIT | 2, 1_700_000_000_123)
    message = envelope.pack(RAW)
    back, ltx = unpack(message)
    assert (back, bytes(ltx)) == (envelope, RAW)
    for position in range(SIZE):
        damaged = bytearray(message)
        damaged[position] ^= 4
        with pytest.raises(SegmentCorrupt):
            unpack(bytes(damaged))
    for length in (0, SIZE - 1, len(message) - 1):
        with pytest.raises(SegmentTruncated):
            unpack(message[:length])


@given(st.lists(st.tuples(st.integers(1, 12), st.dictionaries(st.integers(1, 12), st.integers(0, 255), max_size=6))))
def test_page_sums_follow_and_undo_every_change(steps: list[tuple[int, dict[int, int]]]) -> None:
    sums, pages = PageSums(512), {}
    for commit, changes in steps:
        grown = dict.fromkeys(range(sums.pages + 1, commit + 1), 0)
        changed = {n: bytes([v]) * 512 for n, v in sorted((grown | changes).items())}
        before, was = sums.to_bytes(), sums.checksum
        undo = sums.replace(changed.items(), commit)
        sums.revert(undo)
        assert (sums.to_bytes(), sums.checksum) == (before, was)
        sums.replace(changed.items(), commit)
        pages = {n: page for n, page in (pages | changed).items() if n <= commit}
        image = b"".join(pages[n] for n in sorted(pages))
        assert sums.checksum == scan(lambda size, offset, i=image: i[offset : offset + size], 512, len(image)).checksum


def test_the_lock_page_is_never_counted() -> None:
    number = lock_page(65536)
    sums = PageSums(65536)
    sums.replace([(number - 1, bytes(65536))], number)
    before = sums.checksum
    sums.replace([(number, b"x" * 65536)], number)
    assert sums.checksum == before == page_sum(number - 1, bytes(65536))


def test_differing_pages() -> None:
    ours, theirs = PageSums(512), PageSums(512)
    ours.replace([(n, bytes([n]) * 512) for n in range(1, 6)], 5)
    theirs.replace([(n, bytes([n if n != 2 else 9]) * 512) for n in range(1, 4)], 3)
    assert ours.differing(theirs) == [2, 4, 5]
    assert theirs.differing(ours) == [2]
    assert PageSums.from_bytes(512, ours.to_bytes()).checksum == ours.checksum
