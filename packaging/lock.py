#!/usr/bin/env python3
"""Write the lock files anew from pyproject.toml: exact versions, with the hashes of the wheels that Linux may choose.

    make lock                    keeps every version that is locked already
    make lock ARGS=--upgrade     takes the newest of everything

``uv`` resolves, for every supported Python at once, in a throw-away folder; what it found is written here in pip's own
format, so that installing needs pip alone. Only wheels for Linux (glibc, x86-64 and ARM-64) on CPython are listed:
all hashes of all platforms would be a file of 170 kB. No host name of a registry gets into these files.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
UV = "uv==0.13.9"
LOCKS = {"requirements.txt": None, "requirements-dev.txt": "dev", "requirements-build.txt": "build"}
BASE = "requirements.txt"
PYTHONS = {"py3", "cp311", "cp312", "cp313", "cp314"}
PLATFORM = re.compile(r"any|(many)?linux.*_(x86_64|aarch64)")
ALWAYS = "platform_python_implementation == 'CPython' and sys_platform == 'linux'"


def fits(url: str) -> bool:
    """Whether pip on one of our machines may choose this wheel; its name ends in python-abi-platform."""
    pythons, abis, platforms = (set(part.split(".")) for part in url.removesuffix(".whl").split("-")[-3:])
    if not any(PLATFORM.fullmatch(platform) for platform in platforms):
        return False
    return (bool(pythons & PYTHONS) and "cp314t" not in abis and "cp313t" not in abis) or "abi3" in abis


def locked() -> list[str]:
    """What the lock files pin now, as ``name==version``."""
    pins: list[str] = []
    for name in LOCKS:
        text = (ROOT / name).read_text() if (ROOT / name).exists() else ""
        pins += re.findall(r"^[a-z0-9][\w.-]*==[\w.!+]+", text, re.M)
    return sorted(set(pins))


def project(pins: list[str]) -> str:
    """A pyproject for uv: the same dependencies, nothing to build, the present pins as constraints."""
    ours: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    # setuptools is locked too: `pip install -e .` needs it once build isolation is off (packaging/setup.sh).
    lines = ["[project]", 'name = "fa"', 'version = "0"', f'requires-python = "{ours["requires-python"]}"']
    lines += [f"dependencies = {[*ours['dependencies'], 'setuptools']!r}", "[project.optional-dependencies]"]
    lines += [f"{extra} = {names!r}" for extra, names in ours["optional-dependencies"].items()]
    lines += ["[tool.uv]", "package = false", f"constraint-dependencies = {pins!r}"]
    lines += [f'environments = ["{ALWAYS}"]']
    return "\n".join(lines) + "\n"


def hashes(lock: dict[str, Any]) -> dict[str, list[str]]:
    """The hashes per package; the source archive's where no wheel would do."""
    found: dict[str, list[str]] = {}
    for package in lock["package"]:
        wheels = [w["hash"] for w in package.get("wheels", []) if fits(w["url"])]
        source = [package["sdist"]["hash"]] if "sdist" in package else []
        found[package["name"]] = sorted(wheels or source)
    return found


def render(listed: str, known: dict[str, list[str]], base: set[str]) -> str:
    """One lock file: the lines of ``listed`` that ``base`` has not, each with its hashes."""
    out = ["# Written by packaging/lock.py (`make lock`): do not edit."]
    if base:
        out.append(f"-r {BASE}")
    for line in listed.splitlines():
        if not line or line.startswith("#") or line.split(" ")[0] in base:
            continue
        name = line.split("==")[0]
        line = line.replace(f" ; {ALWAYS}", "").replace(f" and {ALWAYS}", "")
        out.append(" \\\n    --hash=".join([line, *known[name]]))
    return "\n".join(out) + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp)
        venv.create(folder / "env", with_pip=True)
        subprocess.run([folder / "env/bin/pip", "install", "--quiet", UV], check=True)
        uv = str(folder / "env/bin/uv")
        (folder / "pyproject.toml").write_text(project([] if "--upgrade" in sys.argv[1:] else locked()))
        subprocess.run([uv, "lock", "--quiet"], cwd=folder, check=True)
        known = hashes(tomllib.loads((folder / "uv.lock").read_text()))
        base: set[str] = set()
        for file, extra in LOCKS.items():
            command = [uv, "export", "--quiet", "--frozen", "--no-hashes", "--no-annotate", "--no-header"]
            command += ["--extra", extra] if extra else []
            listed = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
            (ROOT / file).write_text(render(listed, known, base))
            base = base or {line.split(" ")[0] for line in listed.splitlines()}


if __name__ == "__main__":
    main()
