"""`fa volume selftest`: does this volume keep what a vote rests on? Processes race for the numbers of a record chain by
``link(2)``, as `volume_vote` does, and for files by ``rename(2)``, as publishing does. Each must be won by exactly one.

It is raced by processes of one machine: that shows whether the file system has these two at all (SMB often lacks hard
links). Between machines the file server decides, with the very same calls."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fa.errors import FaError
from fa.node.helper import helper_command
from fa.node.volume_probe import IDENTITY
from fa.node.volume_vote import claim
from fa.replication.durable import read_record

FOLDER = ".fa/selftest"
RACERS = 4
ROUNDS = 50
SECONDS = 120.0
GO = "go"


class RaceFailed(FaError):
    """The volume cannot keep a vote."""

    code = "selftest-failed"


@dataclass(frozen=True, slots=True)
class RaceReport:
    """What was raced for, and what was wrong (sentences; none = the volume passed)."""

    volume: str
    racers: int
    links: int
    renames: int
    seconds: float
    troubles: tuple[str, ...]


def run_race(root: Path, volume: str, racers: int = RACERS, rounds: int = ROUNDS) -> RaceReport:
    """Race processes of this machine on the volume; leaves nothing behind. Raises `RaceFailed` where that cannot even
    be tried."""
    folder = Path(root, FOLDER, secrets.token_hex(8))
    began = time.monotonic()
    try:
        for each in (folder.parent.parent, folder.parent):  # not the root: one that is missing is not mounted
            each.mkdir(exist_ok=True)
        folder.mkdir()
        for number in range(rounds):
            (folder / f"prize.{number}").write_bytes(b"fa")
        found = _race(folder, racers, rounds)
        troubles = _judge(folder, found, rounds)
    except OSError as error:
        raise RaceFailed(f"Volume {volume} cannot be tested: {error.strerror or error}.") from error
    finally:
        _remove(folder)
    return RaceReport(volume, racers, rounds, rounds, round(time.monotonic() - began, 1), tuple(troubles))


def check_mounted(root: Path) -> None:
    """Raises `RaceFailed` for an empty mount point: the disk below it would pass."""
    if not Path(root, IDENTITY).exists():
        raise RaceFailed(f"{root} has no identity file: nothing is mounted there, or not this volume.")


def check_volume(root: Path, volume: str) -> None:
    """Raises `RaceFailed` with all that was wrong, for who wants to give the volume a vote."""
    report = run_race(root, volume)
    if report.troubles:
        hint = "Use another volume, or `fa witness` on a third machine. `fa volume selftest` repeats this test."
        raise RaceFailed(f"Volume {volume} must not carry a vote: {'; '.join(report.troubles)}.", hint=hint)


def _race(folder: Path, racers: int, rounds: int) -> list[dict[str, Any]]:
    """Start all, let them go at once, and collect what each believes to have won."""
    processes = [
        subprocess.Popen(
            helper_command("volume-race", str(folder), f"p{number}", str(rounds)), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for number in range(racers)
    ]  # fmt: skip
    (folder / GO).touch()
    found: list[dict[str, Any]] = []
    try:
        for process in processes:
            out, err = process.communicate(timeout=SECONDS)
            if process.returncode:
                raise RaceFailed(f"A process of the test failed: {err.decode(errors='replace').strip()[-200:]}.")
            found.append(json.loads(out))
    except subprocess.TimeoutExpired:
        raise RaceFailed(f"The volume did not answer within {SECONDS:g} s.") from None
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    return found


def _judge(folder: Path, found: list[dict[str, Any]], rounds: int) -> list[str]:
    troubles = []
    for what, verb in (("links", "made record"), ("renames", "renamed file")):
        winners = Counter(number for racer in found for number in racer[what])
        for number in range(rounds):
            if winners[number] != 1:
                troubles.append(f"{winners[number]} processes {verb} {number}")
    for racer in found:
        for number in racer["links"]:
            record = read_record(folder / f"record.{number}")
            if record is None or record.get("by") != racer["name"]:
                troubles.append(f"record {number} does not hold what its maker wrote")
    return troubles[:5]


def _remove(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        folder.parent.rmdir()


def main(folder: str, name: str, rounds: str) -> int:
    """One racer: wait for the signal, then try to be first at everything."""
    place, count = Path(folder), int(rounds)
    while not (place / GO).exists():
        time.sleep(0.001)
    links = [number for number in range(count) if claim(place / f"record.{number}", {"by": name})]
    renames = [number for number in range(count) if _renamed(place, name, number)]
    print(json.dumps({"name": name, "links": links, "renames": renames}), flush=True)
    return 0


def _renamed(place: Path, name: str, number: int) -> bool:
    try:
        os.rename(place / f"prize.{number}", place / f"won.{number}.{name}")  # noqa: PTH104
    except FileNotFoundError:
        return False
    return True
