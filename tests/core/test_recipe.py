"""Recipes as operators write them: what is understood, and what is said about mistakes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fa.core.recipe import (
    Factory,
    Notify,
    Product,
    RecipeError,
    factory_from_dict,
    factory_to_dict,
    known_encoders,
    known_filters,
    parse_factory,
    parse_priority,
    requirements,
)
from fa.core.recipe_words import OVERRIDES, PRESETS

EXAMPLE = """
name = "proxy"                              # a factory
priority = "normal"                         # or 0..100; a job may override it
requires = ["tag:gpu", "encoder:libx265"]   # on top of what the products themselves need
[[products]]
name = "proxy"
preset = "h264-mp4"
destination = "san:out/{source.stem}-{job}-{product}.mp4"
[notify]
on_failure = ["mailto://ops@example.org"]
"""

FULL = """
name = "news"
description = "Everything at once"
priority = 90
attempts = 5
stall_after = "2m"
localise = true
replace = true
enabled = false
[[products]]
name = "proxy"
preset = "h264-mp4"
destination = "san:{factory}/{product}-{date}.mp4"
cost = 2
slot = "gpu"
loudness = true
audio_map = [3, 4]
fps = 25
crf = 20
timecode = "10:00:00:00"
args = ["-c:v", "h264_nvenc", "-an"]
[[products]]
name = "tool"
exec = ["caption", "--in", "{input}", "{output}"]
destination = "archive:{source.name}.xml"
"""


def problems(text: str) -> dict[str, str]:
    with pytest.raises(RecipeError) as caught:
        parse_factory(text)
    return dict(caught.value.problems)


def with_product(line: str, preset: str = "h264-mp4") -> str:
    return f'name = "f"\n[[products]]\nname = "p"\npreset = "{preset}"\ndestination = "san:x"\n{line}\n'


def test_the_example_of_the_manual() -> None:
    assert parse_factory(EXAMPLE) == Factory(
        name="proxy",
        priority=50,
        requires=("encoder:libx265", "tag:gpu"),
        products=(Product("proxy", "san:out/{source.stem}-{job}-{product}.mp4", preset="h264-mp4"),),
        notify=Notify(on_failure=("mailto://ops@example.org",)),
    )


def test_everything_that_can_be_set() -> None:
    factory = parse_factory(FULL)
    assert (factory.priority, factory.attempts, factory.stall_after) == (90, 5, 120.0)
    assert (factory.localise, factory.replace, factory.enabled) == (True, True, False)
    proxy, tool = factory.products
    assert (proxy.cost, proxy.slot, proxy.args) == (2, "gpu", ("-c:v", "h264_nvenc", "-an"))
    assert dict(proxy.overrides) == {
        "loudness": -23.0,
        "audio_map": (3, 4),
        "fps": "25",
        "crf": 20,
        "timecode": "10:00:00:00",
    }
    assert proxy.override("crf") == 20
    assert proxy.override("gop") is None
    assert tool.exec == ("caption", "--in", "{input}", "{output}")
    assert factory.product("tool") is tool
    assert factory.product("nobody") is None


@pytest.mark.parametrize("text", [EXAMPLE, FULL])
def test_a_factory_survives_the_store(text: str) -> None:
    factory = parse_factory(text)
    assert factory_from_dict(json.loads(json.dumps(factory_to_dict(factory)))) == factory
    assert hash(factory) == hash(parse_factory(text))


def test_all_mistakes_are_told_at_once_with_what_was_meant() -> None:
    found = problems(
        'priorty = 1\nname = "a b"\nrequires = ["gpu"]\n[notify]\non_fail = []\n'
        '[[products]]\nname = "p"\npreset = "h265-mp4"\ndestination = "san:../x"\nwidht = 3\n'
    )
    assert "did you mean 'priority'?" in found["priorty"]
    assert "1 to 64 letters" in found["name"]
    assert "'gpu'" in found["requires"]
    assert "did you mean 'on_failure'?" in found["notify.on_fail"]
    assert "did you mean 'h264-mp4'?" in found["products[0].preset"]
    assert ".." in found["products[0].destination"]
    assert "did you mean 'width'?" in found["products[0].widht"]


def test_the_error_is_one_readable_sentence() -> None:
    with pytest.raises(RecipeError) as caught:
        parse_factory("name = 3\nproducts = 4")
    assert caught.value.code == "bad-recipe"
    assert caught.value.status == 422
    assert "name must be 1 to 64 letters" in str(caught.value)
    assert "Correct it and apply it again." in str(caught.value)


@pytest.mark.parametrize(
    ("text", "pointer", "part"),
    [
        ("name = ", "", "is not TOML"),
        (f"priority = {'9' * 5000}", "", "is not TOML"),
        ('name = "f"', "products", "at least one"),
        ('name = "f"\nproducts = []', "products", "at least one"),
        ('name = "f"\npriority = 101\n[[products]]', "priority", "0 to 100"),
        ('name = "f"\npriority = true\n[[products]]', "priority", "0 to 100"),
        ('name = "f"\nlocalise = 1\n[[products]]', "localise", "true or false"),
        ('name = "f"\nattempts = 0\n[[products]]', "attempts", "1 to 20"),
        ('name = "f"\nstall_after = "soon"\n[[products]]', "stall_after", "a time"),
        ('name = "f"\nstall_after = true\n[[products]]', "stall_after", "a time"),
        ('name = "f"\nstall_after = 0.5\n[[products]]', "stall_after", "a time"),
        ('name = "f"\ndescription = 1\n[[products]]', "description", "a text"),
        ('name = "f"\nrequires = "tag:x"\n[[products]]', "requires", "list of texts"),
        ('name = "f"\nnotify = 1\n[[products]]', "notify", "a table"),
        ('name = "f"\n[notify]\non_success = ["not a url"]\n[[products]]', "notify.on_success", "Apprise"),
        ('name = "f"\n[[products]]\n', "products[0].name", "is missing"),
        ('name = "f"\n[[products]]\n', "products[0].preset", "either"),
        (with_product('exec = ["x", "{input}", "{output}"]'), "products[0].preset", "either"),
        (with_product("destination = 4").replace('destination = "san:x"\n', ""), "products[0].destination", "a text"),
        (with_product("cost = 65"), "products[0].cost", "1 to 64"),
        (with_product('slot = "tpu"'), "products[0].slot", "cpu, gpu"),
        (with_product("width = 17"), "products[0].width", "even"),
        (with_product("width = true"), "products[0].width", "whole number"),
        (with_product("audio_map = [1.5]"), "products[0].audio_map", "0 to 64"),
        (with_product("true_peak = 3", "bwf"), "products[0].true_peak", "-9 to 0"),
        (with_product("true_peak = true", "bwf"), "products[0].true_peak", "number"),
        (with_product('loudness = "loud"'), "products[0].loudness", "number"),
        (with_product('fit = "squeeze"'), "products[0].fit", "pad, crop, stretch"),
        (with_product('fps = "fast"'), "products[0].fps", "30000/1001"),
        (with_product("fps = [1]"), "products[0].fps", "30000/1001"),
        (with_product("audio_map = []"), "products[0].audio_map", "list of 1 to 32"),
        (with_product("audio_map = [-1]"), "products[0].audio_map", "0 to 64"),
        (with_product('timecode = "now"'), "products[0].timecode", "HH:MM:SS:FF"),
        (with_product('video_bitrate = "8 Mbit"'), "products[0].video_bitrate", "8M"),
        (with_product('speed = "-y"'), "products[0].speed", "veryfast"),
        (with_product('args = ["-vf", "movie=x"]'), "products[0].args[0]", "filter graph"),
        (with_product("args = [1]"), "products[0].args", "list of texts"),
        (with_product("crf = 20", "xdcam-hd422"), "products[0].crf", "means nothing to the preset xdcam-hd422"),
        (with_product("width = 640", "bwf"), "products[0].width", "means nothing"),
    ],
)
def test_each_mistake_has_its_sentence(text: str, pointer: str, part: str) -> None:
    assert part in problems(text)[pointer]


@pytest.mark.parametrize(
    ("argv", "part"),
    [
        ('["/bin/sh", "{input}", "{output}"]', "plain name"),
        ("[]", "plain name"),
        ('["tool", "{input}"]', "{input} and {output}"),
        ('["tool", "{input}", "{output}", "a\\u0000b"]', "NUL"),
    ],
)
def test_exec_names_a_plain_program_and_both_files(argv: str, part: str) -> None:
    text = f'name = "f"\n[[products]]\nname = "p"\ndestination = "san:x"\nexec = {argv}\n'
    assert part in problems(text)["products[0].exec"]


def test_exec_takes_no_settings_of_presets() -> None:
    text = 'name = "f"\n[[products]]\nname = "p"\ndestination = "san:x"\nexec = ["t", "{input}", "{output}"]\ncrf = 1\n'
    assert "no overrides" in problems(text)["products[0].exec"]


def test_products_may_not_write_over_each_other() -> None:
    one = '[[products]]\nname = "p"\npreset = "bwf"\ndestination = "san:x"\n'
    found = problems(f'name = "f"\n{one}{one}')
    assert "also names another" in found["products[1].name"]
    assert "also that of another" in found["products[1].destination"]
    apart = one.replace("san:x", "san:{product}")
    other = apart.replace('name = "p"', 'name = "q"')
    assert [each.name for each in parse_factory(f'name = "f"\n{apart}{other}').products] == ["p", "q"]


def test_priorities_have_names() -> None:
    assert [parse_priority(each) for each in ("low", "normal", "high", "urgent", 0, 100)] == [25, 50, 75, 100, 0, 100]
    with pytest.raises(ValueError, match="low, normal, high, urgent"):
        parse_priority("asap")


@pytest.mark.parametrize(
    ("loudness", "stored"), [("true", -23.0), ('"r128"', -23.0), ("-24", -24.0), ("false", "off"), ('"off"', "off")]
)
def test_loudness_may_be_said_in_many_ways(loudness: str, stored: float | str) -> None:
    assert parse_factory(with_product(f"loudness = {loudness}")).products[0].override("loudness") == stored


def test_choices_are_kept_as_written() -> None:
    product = parse_factory(with_product('fit = "crop"\ntimecode = "keep"')).products[0]
    assert product.overrides == (("fit", "crop"), ("timecode", "keep"))


@pytest.mark.parametrize("option", ["-c:a", "-c:a:0", "-codec:a", "-acodec"])
def test_an_encoder_of_args_is_required(option: str) -> None:
    factory = parse_factory(EXAMPLE)
    product = replace(factory.products[0], args=(option, "libmp3lame", "-b:a", "128k", "-c:v", "copy"))
    needs = requirements(factory, product)
    assert "encoder:libmp3lame" in needs and not {"encoder:copy", "encoder:128k"} & needs


def test_requirements_follow_from_the_products() -> None:
    factory = parse_factory(FULL)
    needs = requirements(factory, factory.products[0])
    assert {
        "encoder:libx264",
        "encoder:aac",
        "encoder:h264_nvenc",
        "filter:bwdif",
        "filter:alimiter",
        "volume:san",
    } <= needs
    assert requirements(factory, factory.products[1]) == {"exec:caption", "volume:archive"}
    assert "filter:alimiter" not in requirements(parse_factory(EXAMPLE), parse_factory(EXAMPLE).products[0])
    assert {"tag:gpu", "encoder:libx265"} <= requirements(parse_factory(EXAMPLE), parse_factory(EXAMPLE).products[0])


def test_a_node_knows_what_to_prove() -> None:
    assert {"libx264", "prores_ks", "mpeg2video", "pcm_s24le"} <= set(known_encoders())
    assert {"bwdif", "alimiter", "ebur128"} <= set(known_filters())
    assert list(known_encoders()) == sorted(known_encoders())


def test_every_preset_accepts_known_overrides_only() -> None:
    assert {name for needs in PRESETS.values() for name in needs.accepts} == set(OVERRIDES)


def test_deep_nesting_is_no_crash(tmp_path: Path) -> None:
    assert "" in problems("a = " + "[" * 100_000)


def test_a_factory_has_not_a_thousand_products() -> None:
    """Each job is a task for each of them, and a request makes 1,000 jobs in one commit."""
    table = '[[products]]\nname = "p{0}"\npreset = "bwf"\ndestination = "san:{{product}}"\n'
    text = 'name = "f"\n' + "".join(table.format(number) for number in range(64))
    assert len(parse_factory(text).products) == 64
    with pytest.raises(RecipeError, match="64 at most"):
        parse_factory(text + table.format(64))
