"""Names of files: what they may be, and what is refused because it could mean another place."""

from __future__ import annotations

import pytest

from fa.core.places import BadPlace, Place, parse_place


@pytest.mark.parametrize(
    "path",
    ["clip.mxf", "in/-rf %d.mov", "a\nb\t.mp4", "🎬 ünï/x", "broken \udcff", "..hidden", "a:b", "x" * 4000, "C:\\x"],
)
def test_any_name_of_a_file_is_a_place(path: str) -> None:
    place = parse_place(f"san:{path}")
    assert place == Place("san", path)
    assert str(place) == f"san:{path}"
    assert place.name == path.rpartition("/")[2]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("clip.mxf", "names no volume"),
        (":clip.mxf", "names no volume"),
        ("-san:x", "names no volume"),
        ("s n:x", "names no volume"),
        ("san\n:x", "names no volume"),
        (f"{'v' * 65}:x", "names no volume"),
        ("san:", "is empty"),
        ("san:a\0b", "holds a NUL"),
        ("san:" + "é" * 2001, "is longer than 4000 bytes"),
        ("san:/etc/passwd", "is absolute"),
        ("san:../x", "part"),
        ("san:a/./x", "part"),
        ("san:a//x", "part"),
        ("san:a/", "part"),
    ],
)
def test_what_could_mean_another_place_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadPlace, match=why):
        parse_place(text)
