"""Destinations stay beneath their volume, whatever a source or subject is called."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fa.core.recipe import destination_values, render_destination
from fa.core.recipe_path import (
    VALUE_BYTES,
    DestinationError,
    TemplateError,
    check_template,
    clean_component,
    template_volume,
)

ANY_TEXT = st.text(st.characters(), max_size=300)  # surrogates included: names of broken encoding
NASTY = st.sampled_from(
    ["..", ".", "", "/", "../../etc/passwd", "CON", "nul.txt", "-rf", " . ", "a\nb", "\x00", "%d", "é" * 200]
)


@settings(max_examples=200, deadline=None)
@given(ANY_TEXT | NASTY)
def test_a_value_becomes_one_harmless_component(value: str) -> None:
    clean = clean_component(value)
    assert clean not in ("", ".", "..")
    assert len(clean.encode()) <= VALUE_BYTES + 1
    assert not set(clean) & set("/\\\0\n\r\t")
    assert clean[0] not in "-. "
    assert clean[-1] not in ". "
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in clean)


@settings(max_examples=100, deadline=None)
@given(ANY_TEXT | NASTY, ANY_TEXT | NASTY)
def test_a_destination_stays_beneath_its_volume(source: str, subject: str) -> None:
    values = destination_values(source, job=7, product="p", subject=subject)
    volume, path = render_destination("san:a/{source.dir}/{source.stem}-{subject}.{source.ext}", values)
    parts = path.split("/")
    assert volume == "san"
    assert len(parts) == 3
    assert all(part not in ("", ".", "..") and len(part.encode()) <= 255 for part in parts)


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        ("clip", "clip"),
        ("100% proof %d", "100% proof %d"),
        ("a\nb", "a_b"),
        ("-vn", "_vn"),
        (".hidden", "_hidden"),
        ("../../etc", "_etc".replace("_etc", "__.._etc")),
        ("CON", "_CON"),
        ("com1.mxf", "_com1.mxf"),
        ("end. .", "end"),
        ("e\u0301", "é"),
        ("a\u202eb", "a_b"),
        ("\udcff", "_"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("", "_"),
        ('it\'s "x"', 'it\'s "x"'),
    ],
)
def test_what_becomes_of_a_name(value: str, clean: str) -> None:
    assert clean_component(value) == clean


@pytest.mark.parametrize(
    ("source", "stem", "ext", "folder"),
    [
        ("in/a/clip.mxf", "clip", "mxf", "in/a"),
        ("clip", "clip", "", ""),
        (".mxf", ".mxf", "", ""),
        ("a.tar.gz", "a.tar", "gz", ""),
    ],
)
def test_the_variables_of_a_source(source: str, stem: str, ext: str, folder: str) -> None:
    values = destination_values(source, job=1)
    assert (values["source.stem"], values["source.ext"], values["source.dir"]) == (stem, ext, folder)
    assert values["job"] == "1"


def test_a_template_is_filled() -> None:
    values = destination_values("in/Töne.mov", job=12, product="proxy", date="2026-11-26")
    assert render_destination("san:out/{date}/{source.stem}-{job}-{product}.mp4", values) == (
        "san",
        "out/2026-11-26/Töne-12-proxy.mp4",
    )
    assert render_destination("san:{{x}}/{source.name}", values) == ("san", "{x}/Töne.mov")


def test_long_names_are_shortened_until_they_fit() -> None:
    values = destination_values("é" * 125 + ".mxf", job=1, subject="s" * 250)
    _, path = render_destination("san:{source.stem}-{subject}-{job}.mp4", values)
    assert len(path.encode()) <= 255
    assert path.endswith("-1.mp4")


def test_what_no_shortening_helps() -> None:
    with pytest.raises(DestinationError, match="too long"):
        render_destination("san:" + "x" * 300, {})


@pytest.mark.parametrize(
    ("template", "part"),
    [
        ("out/x.mp4", "name of a volume"),
        ("s n:x", "name of a volume"),
        ("san:/x", "relative"),
        ("san:", "empty"),
        ("san:a//b", "empty"),
        ("san:a/../b", r"\.\."),
        ("san:{source.stem}/..", r"\.\."),
        ("san:.fa/part/x", "belongs to fa"),
        ("san:{nope}", "unknown variable {nope}"),
        ("san:{}", "unknown variable"),
        ("san:{x", "lone brace"),
        ("san:a\\b", "backslashes"),
        ("san:a\nb", "control"),
    ],
)
def test_bad_templates_are_refused(template: str, part: str) -> None:
    with pytest.raises(TemplateError, match=part):
        check_template(template)
    with pytest.raises(DestinationError):
        render_destination(template, {})


def test_values_cannot_make_a_reserved_folder() -> None:
    assert render_destination("san:{subject}/x", {"subject": ".fa"}) == ("san", "_fa/x")
    with pytest.raises(DestinationError, match="belongs to fa"):
        render_destination("san:.{subject}/x", {"subject": "fa"})


def test_the_volume_of_a_template() -> None:
    assert template_volume("san:a/{job}") == "san"
