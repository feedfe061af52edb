"""``python -m tests.soak [--minutes 10] [--seed 1] [--dir D]``: real nodes, real clients, faults without end.

Three nodes on loopback work for some clients while an operator meddles and nodes are killed, frozen, stopped, removed
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
from pathlib import Path
from random import Random

from tests.e2e import kit
from tests.e2e.soak import checks, work
from tests.e2e.soak.book import Book
from tests.e2e.soak.clients import Client, Operator, Person
from tests.e2e.soak.faults import Faults, Stuck, leader, status
from tests.e2e.soak.vitals import Vitals

NAMES = "abc"
CLIENTS = 4
TELL_EVERY = 5.0  # seconds
STORY_LINES = 60


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
    copies = rng.choice([1, 1, 2])
    _found(array, copies)
    stop_faults, stop_people, stop_looking = threading.Event(), threading.Event(), threading.Event()
    people: list[Person] = [
        Client(f"client{n}", array, book, Random(rng.random()), stop_people) for n in range(CLIENTS)
    ]
    people.append(Operator("operator", array, book, Random(rng.random()), stop_faults))
    faults, vitals = Faults(array, book, Random(rng.random()), stop_faults), Vitals(array)
    threads = [threading.Thread(target=_guarded, args=(person, book)) for person in people]
    threads.append(threading.Thread(target=vitals.run, args=(stop_looking,)))
    troubles: list[str] = []
    striking = threading.Thread(target=_strike, args=(faults, troubles))
    for thread in [*threads, striking]:
        thread.start()
    try:
        _tell(array, book, seconds, striking)
    finally:
        stop_faults.set()
        striking.join()
        stop_people.set()
        stop_looking.set()
        for thread in threads:
            thread.join()
    if troubles:
        return [*book.wrong, *troubles]
    return _judge(array, book, faults, vitals)


def _judge(array: kit.Array, book: Book, faults: Faults, vitals: Vitals) -> list[str]:
    try:
        node = faults.settle("at the end")
        print(f"healed: {node.status()['jobs']}", flush=True)
        checks.rest(array, node)
    except Stuck as error:
        return [*book.wrong, str(error)]
    vitals.look()
    found = [*checks.everything(array, node, book, faults.rude), *vitals.wrong()]
    print(f"{dict(book.counts)}\nfaults: {dict(book.faults)}\n{len(book.jobs)} jobs: {node.status()['jobs']}")
    print(f"at most {vitals.most()}")
    return found


def _found(array: kit.Array, copies: int) -> None:
    work.prepare(array, NAMES)
    for name in NAMES:
        array.settings[name]["array"] = {"mirrors": copies}
    first = array.found("a", "--slots", "2")
    if array.proved and not array.proved.exists():
        kit.wait_until("the encoders are proved", (first.root / "proved.json").exists, 300)
        shutil.copy(first.root / "proved.json", array.proved)
    for name in NAMES[1:]:
        array.join(name, "--slots", "2")
    array.wait_whole()
    for kind in work.KINDS:
        first.post("/v1/factories", kind.toml(0))


def _guarded(person: Person, book: Book) -> None:
    try:
        person.run(person.turn)  # type: ignore[attr-defined]
    except Exception:
        book.bad(f"{person.name} gave up: {traceback.format_exc()}")


def _strike(faults: Faults, troubles: list[str]) -> None:
    try:
        faults.run()
    except Exception:
        troubles.append(traceback.format_exc())


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
