"""The manual is held against the code: what it names exists, and what exists is in it.

The idea is datasette's ``tests/test_docs.py``. Tables that the code can write are written by ``tests/reference.py``.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from fa import errors
from fa.cli import exits
from fa.cli.main import build_parser
from fa.cli.parser import Parser, UsageError
from fa.core import intake_rules, monitor, recipe, recipe_words, ticket
from fa.node import settings
from fa.node.api.routes import ROUTES
from fa.tui import look
from tests import reference

ROOT = Path(__file__).resolve().parents[1]
MANUAL = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")]
MANUAL += sorted((ROOT / "docs").glob("*.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
STAND_INS = {"JOB": "17", "TIME": "2026-11-26T12:00:00Z", "VERSION": "0.1.0"}


def blocks(path: Path, language: str) -> Iterator[str]:
    for match in FENCE.finditer(path.read_text()):
        if match[1] == language:
            yield match[2]


def prose(path: Path) -> str:
    return FENCE.sub("", path.read_text())


def inline(path: Path) -> list[str]:
    """What stands between backticks in running text and tables."""
    return [code.replace("\\|", "|") for code in re.findall(r"`([^`\n]+)`", prose(path))]


def typed(path: Path) -> Iterator[str]:
    """The lines of code blocks that call fa, without what a person would not type."""
    for block in blocks(path, ""):
        for line in block.splitlines():
            match = re.match(r"\s*(?:sudo (?:-u \w+ )?)?(?:\.venv/bin/)?(fa .*)", line)
            if match:
                yield alone(match[1])


def alone(line: str) -> str:
    """The call of fa in a line of a shell: without remarks, pipes and redirections."""
    words = re.split(r"\s{3,}", line)[0]
    calls = [part.strip() for part in re.split(r" (?:\||&&|&(?= |$)|>) ?", words)]
    return next(part for part in calls if part.startswith("fa "))


@cache
def whole_parser() -> Parser:
    return build_parser()


def refused(command: str) -> str:
    """What the parser says against a command line; empty when it takes it."""
    words = [STAND_INS.get(word, word) for word in shlex.split(command)[1:]]
    try:
        whole_parser().parse_args(words)
    except UsageError as error:
        return str(error)
    return ""


def known_prefix(command: str) -> bool:
    """Whether a command named in running text (``fa mirror``, ``fa why JOB``) begins as a real one does."""
    words = re.split(r" (?=[-[A-Z.…'/~|]|\d|\w+:)", command, maxsplit=1)[0]
    return not refused(command) or any(name == words or name.startswith(words + " ") for name in reference.commands())


@pytest.mark.parametrize("path", MANUAL, ids=lambda path: path.name)
def test_commands_in_the_manual_exist(path: Path) -> None:
    wrong = [f"{line}\n{why}" for line in typed(path) if (why := refused(line))]
    wrong += [code for code in inline(path) if re.match(r"fa [a-z]", code) and not known_prefix(code)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("file", "part"), reference.PARTS)
def test_the_tables_are_up_to_date(file: str, part: str) -> None:
    assert (ROOT / "docs" / file).read_text() == reference.updated(file, part), "run `make docs`"


def test_every_setting_has_words() -> None:
    assert set(reference.setting_fields()) == set(reference.SETTINGS)


def test_settings_in_the_manual_exist() -> None:
    known = set(reference.setting_fields())
    sections = {name.split(".")[0] for name in known}
    for path in MANUAL:
        for code in inline(path):
            if re.fullmatch(r"[a-z]+\.[a-z_]+", code) and code.split(".")[0] in sections:
                assert code in known, f"{path.name}: {code}"


def test_routes_in_the_manual_exist() -> None:
    real = [re.compile(re.sub(r"\{[^}]*\}", "[^/]+", route.path)) for route in ROUTES]
    methods = {(route.method, pattern.pattern) for route, pattern in zip(ROUTES, real, strict=True)}
    for path in MANUAL:
        for method, found in re.findall(r"(?:\b(GET|POST|PATCH|PUT|DELETE) )?(/v1/[\w/{}:.-]*\w)", path.read_text()):
            named = re.sub(r"\{[^}]*\}", "x", found)
            fits = [pattern.pattern for pattern in real if pattern.fullmatch(named)]
            assert fits, f"{path.name}: {found}"
            assert not method or any((method, pattern) in methods for pattern in fits), f"{path.name}: {method} {found}"


def test_files_and_targets_in_the_manual_exist() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.M))
    for path in MANUAL:
        text = path.read_text()
        for link in re.findall(r"\]\(([^)#\s]+)", text):
            assert (path.parent / link).exists(), f"{path.name}: {link}"
        for name in re.findall(r"(?<![\w/.-])((?:fa|tests|packaging|docs|bench)/[\w./-]*\w)", text):
            assert (ROOT / name).exists(), f"{path.name}: {name}"
        for target in re.findall(r"(?:^|`)make ([a-z0-9-]+)", text, re.M):
            assert target in targets, f"{path.name}: make {target}"


def test_every_document_is_reachable_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    missing = [path.name for path in MANUAL[1:] if path.relative_to(ROOT).as_posix() not in readme]
    assert not missing


def test_variables_of_the_environment_exist() -> None:
    code = "".join(path.read_text() for folder in ("fa", "tests") for path in (ROOT / folder).rglob("*.py"))
    for path in MANUAL:
        for name in re.findall(r"\bFA_[A-Z_]+\b", path.read_text()):
            assert f'"{name}"' in code, f"{path.name}: {name}"


def test_codes_of_errors_are_listed() -> None:
    listed = set(re.findall(r"^\| (\d{3}) \| `([a-z-]+)` \|", (ROOT / "docs/api.md").read_text(), re.M))
    raised = {
        (str(kind.status), kind.code)
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.FaError) and kind is not errors.FaError
    }
    assert listed == raised


def test_exit_codes_are_listed() -> None:
    listed = set(re.findall(r"^\| (\d+) \| ", (ROOT / "docs/cli.md").read_text(), re.M))
    assert listed == {str(value) for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}


def test_examples_in_the_help_are_taken() -> None:
    wrong = [
        f"{example}\n{why}"
        for parser in reference.commands().values()
        for example in getattr(parser, "examples", ())
        if (why := refused(alone(example)))
    ]
    assert not wrong, "\n".join(wrong)


def first_cells(path: Path, heading: str) -> set[str]:
    """What is in backticks in the first column of the table under a heading."""
    section = path.read_text().split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [row for row in section.splitlines() if row.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}


def test_the_vocabulary_of_recipes_is_listed() -> None:
    path = ROOT / "docs/factories.md"
    assert first_cells(path, "Presets") == set(recipe_words.PRESETS)
    assert first_cells(path, "Overrides") == set(recipe_words.OVERRIDES)
    assert first_cells(path, "Keys of a factory") == set(recipe._FACTORY_KEYS)
    assert first_cells(path, "Keys of a product") == set(recipe._PRODUCT_KEYS)
    assert set(re.findall(r"`\{([a-z.]+)\}`", path.read_text())) == set(recipe_words.VARIABLES)


def test_the_vocabulary_of_monitors_is_listed() -> None:
    path = ROOT / "docs/monitors.md"
    assert first_cells(path, "Keys of a monitor") == set(monitor.KEYS)
    assert first_cells(path, "When a file has settled") == {"end"} | set(monitor.End)
    assert first_cells(path, "States") == set(look.MONITORS)
    for suffix in intake_rules.PARTIAL:
        assert f"`{suffix}`" in path.read_text()


def test_tickets_in_the_manual_are_taken() -> None:
    path = ROOT / "docs/monitors.md"
    taker = monitor.parse_monitor('name = "m"\nfolder = "san:in"\ntickets = true\nfactories = ["proxy"]\n')
    xml, *_ = blocks(path, "xml")
    json, *_ = blocks(path, "json")
    assert ticket.parse_ticket("t.xml", xml.encode(), taker).subject == "Evening news"
    assert ticket.parse_ticket("t.json", json.encode(), taker).factories == ("proxy", "archive")
    assert set(re.findall(r"<(\w+)>", xml)) == {"ticket", *ticket.KEYS}


def test_examples_are_valid() -> None:
    for path in MANUAL:
        for text in blocks(path, "toml"):
            table = tomllib.loads(text)
            if "products" in table:
                assert recipe.parse_factory(text).name == table["name"]
            elif "folder" in table:
                assert monitor.parse_monitor(text).name == table["name"]
            elif "node" in table:
                settings.parse('[array]\nname = "x"\nid = "y"\n' + text)
