import stat
import tomllib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fa.core.recipe import parse_factory
from fa.core.scheduling import free_slots
from fa.errors import Invalid, NotFound
from fa.node.offers import offer_of
from fa.node.settings import Array, Node, ReserveRule, Settings, StateDir, Timing, load, parse, save
from fa.node.toml import dump

SMALL = Settings(array=Array(name="news", id="0" * 32), node=Node(name="a", listen="127.0.0.1:7001"))
TEXT = '[array]\nname = "news"\nid = "x"\n[node]\nname = "a"\nlisten = "127.0.0.1:7001"\n'


def test_what_was_saved_is_loaded(tmp_path):
    place = StateDir(tmp_path / "d")
    place.make()
    reserve = (ReserveRule(min_priority=75, slots=1),)
    node = Node(name="b", listen="[::1]:7002", slots={"cpu": 4, "gpu": 1}, tags=("gpu",), reserve=reserve)
    settings = Settings(
        array=Array(name="news", id="1", vip="10.0.0.9/24@eth0"),
        node=node,
        volumes={"san": '/mnt/"s a n"\n', "st.2": "/mnt/é"},
        timing=Timing(lost_after_seconds=4.5),
    )
    save(place, settings)
    assert load(place) == settings
    assert stat.S_IMODE(place.settings.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.tls.stat().st_mode) == 0o700


def test_only_what_differs_from_the_defaults_is_written(tmp_path):
    save(StateDir(tmp_path), SMALL)
    assert set(tomllib.loads((tmp_path / "fa.toml").read_text())) == {"array", "node"}


def test_no_node_there_says_how_to_make_one(tmp_path):
    with pytest.raises(NotFound, match="fa init"):
        load(StateDir(tmp_path))


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "fa.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Invalid, match="cannot be read"):
        load(StateDir(tmp_path))


@pytest.mark.parametrize(
    ("written", "seconds"), [("3", 3.0), ("0.75", 0.75), ('"750ms"', 0.75), ('"5m"', 300.0), ('"1h"', 3600.0)]
)
def test_spans_of_time(written, seconds):
    assert parse(f"{TEXT}[timing]\norphan_after = {written}\n").timing.orphan_after_seconds == seconds


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[node\n", "not TOML"),
        (f"x = {'9' * 5000}\n", "not TOML"),
        (TEXT.replace("listen", "listne"), "Did you mean 'listen'"),
        (TEXT + "[timing]\nheart_beat = 1\n", "Did you mean 'heartbeat'"),
        (TEXT + "[timming]\nheartbeat = 1\n", "Did you mean 'timing'"),
        (TEXT + "[timing]\nxyz = 1\n", "Known here: heartbeat"),
        (TEXT + '[timing]\nheartbeat = "soon"\n', "not a span of time"),
        (TEXT + "[timing]\nheartbeat = -1\n", "more than nothing"),
        (TEXT + "[timing]\nheartbeat = nan\n", "more than nothing"),
        (TEXT + "[retention]\njobs = -1\n", "retention.jobs is"),
        (TEXT + "[retention]\nhistory = nan\n", "retention.history is"),
        (TEXT + '[retention]\nrequests = "99999999999999999d"\n', "retention.requests is"),
        (TEXT + "[retention]\nevents = -1\n", "retention.events is"),
        (TEXT + "[timing]\nheartbeat = 2\n", "one lost heartbeat is not a lost node"),
        (TEXT.replace("127.0.0.1:7001", "127.0.0.1"), "host:port"),
        (TEXT.replace("127.0.0.1:7001", "127.0.0.1:77777"), "host:port"),
        (TEXT.replace('"a"', '"../a"'), "is not a name"),
        (TEXT.replace('"a"', '"a\\n"'), "is not a name"),
        (TEXT + '[volumes]\nsan = "mnt/san"\n', "absolute path"),
        (TEXT + "slots = { cpu = -1 }\n", "0 to 1024 slots"),
        (TEXT + "reserve = [{ min_prio = 75, slots = 1 }]\n", "Did you mean 'min_priority'"),
        (TEXT + "reserve = [{ min_priority = 750, slots = 1 }]\n", "priorities are 0 to 100"),
        (TEXT + "reserve = [{ min_priority = -5, slots = 1 }]\n", "priorities are 0 to 100"),
        (TEXT + "reserve = [{ min_priority = 75, slots = -3 }]\n", "0 to 1024 slots"),
        (TEXT + "reserve = [{ min_priority = 75, slots = 2000 }]\n", "0 to 1024 slots"),
        (TEXT + 'reserve = [{ min_priority = 75, slots = 1, class = "gup" }]\n', "no gup slots here"),
        (TEXT + "slots = { gpu = 2 }\nreserve = [{ min_priority = 75, slots = 1 }]\n", "no cpu slots here"),
        (TEXT + 'slots = "many"\n', "Expected `object`"),
        ('array = 3\n[node]\nname = "a"\nlisten = "h:1"', "Expected `object`"),
        (TEXT.replace('id = "x"', 'id = "x"\nmin_insync = 3'), "min_insync"),
        ("", "missing required field"),
    ],
)
def test_what_is_wrong_is_said(text, sentence):
    with pytest.raises(Invalid, match=sentence):
        parse(text)


def test_times_are_those_of_the_design_unless_people_say_otherwise():
    timing = SMALL.timing
    assert (timing.heartbeat_seconds, timing.suspect_after_seconds, timing.lost_after_seconds) == (0.5, 2.0, 3.0)
    assert timing.orphan_after_seconds == 60.0
    recipe = parse_factory('name = "f"\n[[products]]\nname = "p"\npreset = "poster"\ndestination = "san:{job}.jpg"\n')
    assert (recipe.attempts, recipe.stall_after, recipe.priority) == (3, 60.0, 50)


def test_a_node_without_slots_has_one_per_core():
    assert SMALL.node.slots_or_cores["cpu"] >= 1
    assert Node(name="a", listen="h:1", slots={"gpu": 2}).slots_or_cores == {"gpu": 2}


VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("a_é \n\"'\x7f", min_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text("ab.é \n\"'", min_size=1), VALUES, max_size=4))
def test_what_is_dumped_is_read_back(document):
    assert tomllib.loads(dump(document)) == document


def test_toml_has_no_word_for_this():
    with pytest.raises(TypeError):
        dump({"a": msgspec.UNSET})


def test_slots_of_any_class_can_be_kept(tmp_path):
    text = TEXT + 'slots = { cpu = 4, gpu = 2 }\nreserve = [{ min_priority = 75, slots = 1, class = "gpu" }]\n'
    settings = parse(text)
    save(StateDir(tmp_path), settings)
    assert load(StateDir(tmp_path)) == settings
    node = offer_of(settings, frozenset(), frozenset(), ()).view
    assert [free_slots(node, kind, 50) for kind in ("cpu", "gpu")] == [4, 1]
    assert free_slots(node, "gpu", 75) == 2


def test_a_witness_may_have_reserves_of_nothing():
    text = TEXT + 'kind = "witness"\nreserve = [{ min_priority = 75, slots = 1 }]\n'
    assert parse(text).node.reserve[0].slots == 1
