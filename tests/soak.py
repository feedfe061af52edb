"""``python -m tests.soak [--minutes 10] [--seed 1] [--dir D]``: real nodes, real clients, faults without end.

Two or three nodes on loopback work for clients, operators meddle, and nodes are killed, frozen, stopped, removed
and joined anew, all drawn from one seed. Then everything is healed, and what is there is held against what everybody
was told. When something is wrong it says what, names the seed, and keeps the folder: `story.log` has what was done, in
order. What the machine makes of a seed depends on its clock: the same seed is the same plan, not the same run."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TypeVar

from tests.e2e import kit
from tests.e2e.soak import checks, work
from tests.e2e.soak.book import Book
from tests.e2e.soak.clients import Caller, Client, Dropper, Operator, Person
from tests.e2e.soak.faults import Faults, Stuck, leader, status
from tests.e2e.soak.vitals import Vitals
from tests.e2e.soak.watcher import Watcher

SHAPES = (("abc", 1, "none"), ("abc", 2, "none"), ("abc", 1, "volume:san"), ("ab", 1, "volume:san"))
"""Names of the nodes, copies of the store, and the third vote."""
CLIENTS, OPERATORS = 4, 2
TELL_EVERY = 5.0  # seconds
STORY_LINES = 60
AnyPerson = TypeVar("AnyPerson", bound=Person)


def main() -> int:
    options = _options()
    root = Path(tempfile.mkdtemp(prefix=f"fa-soak-{options.seed}-", dir=options.dir))
    proved = Path(tempfile.gettempdir()) / "fa-soak-proved.json"
    print(f"seed {options.seed}, {options.minutes:g} minutes, in {root}", flush=True)
    book = Book(root / "story.log")
    array = kit.Array(root, proved)
    try:
        found = _soak(array, book, Random(options.seed), options.minutes * 60.0)
    except Exception:
        found = [*book.wrong, traceback.format_exc()]
    finally:
        array.close()
    if not found:
        shutil.rmtree(root)
        print("nothing is wrong")
        return 0
    print(f"\nseed {options.seed}: {len(found)} WRONG; kept in {root}")
    for number, finding in enumerate(found, 1):
        print(f"{number}. {finding}")
    print(f"\nthe end of {book.path}:\n" + "\n".join(book.path.read_text().splitlines()[-STORY_LINES:]))
    return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long the faults go on")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dir", default=None, help="where the folder of the run is made")
    return parser.parse_args()


def _soak(array: kit.Array, book: Book, rng: Random, seconds: float) -> list[str]:
    """What is wrong, in sentences."""
    names, copies, witness = rng.choice(SHAPES)
    print(f"nodes {names}, {copies} copies besides, witness {witness}", flush=True)
    _found(array, names, copies, witness)
    soak = Soak(array, book, rng)
    with soak.watching():
        with soak.working():
            _tell(array, book, seconds, soak.striking)
        return soak.judge()


class Soak:
    """Who acts, each in a thread: who works or strikes until the time is up, who watches until all is judged."""

    def __init__(self, array: kit.Array, book: Book, rng: Random) -> None:
        self._array, self._book = array, book
        self._struck, self._worked, self._watched = threading.Event(), threading.Event(), threading.Event()
        self._troubles: list[str] = []

        def someone(kind: type[AnyPerson], name: str, until: threading.Event) -> AnyPerson:
            return kind(name, array, book, Random(rng.random()), until)

        self._people: list[Person] = [someone(Client, f"client{n}", self._worked) for n in range(CLIENTS)]
        self._people += [someone(Operator, f"operator{n}", self._struck) for n in range(OPERATORS)]
        self._people.append(someone(Caller, "caller", self._worked))
        self._people.append(someone(Dropper, "dropper", self._struck))
        self._watcher = someone(Watcher, "watcher", self._watched)
        self._faults = Faults(array, book, Random(rng.random()), self._struck)
        self._vitals = Vitals(array)
        self.striking = threading.Thread(target=self._strike)

    @contextmanager
    def watching(self) -> Iterator[None]:
        looking = threading.Thread(target=self._vitals.run, args=(self._watched,))
        watching = threading.Thread(target=self._guarded, args=(self._watcher,))
        looking.start()
        watching.start()
        try:
            yield
        finally:
            self._watched.set()
            looking.join()
            watching.join()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Whoever waits for an answer at the end gets it: by then nobody strikes any more."""
        threads = [threading.Thread(target=self._guarded, args=(person,)) for person in self._people]
        for thread in [*threads, self.striking]:
            thread.start()
        try:
            yield
        finally:
            self._struck.set()
            self.striking.join()
            self._worked.set()
            for thread in threads:
                thread.join()

    def judge(self) -> list[str]:
        try:
            if self._troubles:
                raise Stuck("\n".join(self._troubles))
            node = self._faults.settle("at the end")
            print(f"healed: {node.status()['jobs']}", flush=True)
            checks.rest(self._array, node)
        except Stuck as error:
            return [*self._book.wrong, str(error)]
        found = checks.everything(self._array, node, self._book, self._faults.rude)
        found += self._watcher.wrong(node) + self._vitals.wrong()
        print(f"{dict(self._book.counts)}\nfaults: {dict(self._book.faults)}")
        print(f"whole again after {self._faults.slowest:.1f} s at most")
        print(f"{len(self._book.jobs)} jobs: {node.status()['jobs']}; at most {self._vitals.most()}")
        return found

    def _guarded(self, person: Person) -> None:
        try:
            person.run()
        except Exception:
            self._book.bad(f"{person.name} gave up: {traceback.format_exc()}")

    def _strike(self) -> None:
        try:
            self._faults.run()
        except Exception:
            self._troubles.append(traceback.format_exc())


def _found(array: kit.Array, names: str, copies: int, witness: str) -> None:
    work.prepare(array, names)
    for name in names:
        array.settings[name]["array"] = {"mirrors": copies}
    first = array.found("a", "--slots", "2", "--witness", witness)
    if array.proved and not array.proved.exists():
        kit.wait_until("the encoders are proved", (first.root / "proved.json").exists, 300)
        shutil.copy(first.root / "proved.json", array.proved)
    for name in names[1:]:
        array.join(name, "--slots", "2")
    array.wait_whole()
    if witness != "none":
        kit.wait_until("the volume votes", lambda: len(first.get("/v1/mirror")["voters"]) > len(names))
    for kind in work.KINDS:
        first.post("/v1/factories", kind.toml(0))
    first.post("/v1/monitors", work.MONITOR)


def _tell(array: kit.Array, book: Book, seconds: float, striking: threading.Thread) -> None:
    """Progress, until the time is up or the array is stuck."""
    began = time.monotonic()
    while time.monotonic() - began < seconds and striking.is_alive():
        striking.join(TELL_EVERY)
        first = leader(array)
        said = status(first) if first else None
        if said and said["jobs"]:
            book.backlog = sum(said["jobs"][state] for state in ("queued", "running", "held"))
        counts = book.counts
        who = f"leads {first.name if first else '-'}"
        jobs = f"{len(book.jobs)} jobs, {book.backlog} wait"
        answers = f"{counts['answers']} answers, {counts['503']} 503, {counts['no answer']} without"
        faults = f"{sum(book.faults.values())} faults"
        print(
            f"{time.monotonic() - began:5.0f} s  {who}  {jobs}  {faults}  {answers}  {len(book.wrong)} wrong",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
