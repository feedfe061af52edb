"""What benches that compare do alike: CPU of process trees, rounds in turns, one line of figures per rival."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds."""

    cpu: float
    wall: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.cpu + other.cpu, self.wall + other.wall)


def cpu_of(process: int) -> float:
    """CPU seconds of a process and of its ended and waited-for children."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def cpu_of_tree(process: int) -> float:
    """The same, with its children that live, such as the launcher of a node, which has the encodes as its children."""
    try:
        tasks = Path(f"/proc/{process}/task").iterdir()
        children = [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
        return cpu_of(process) + sum(map(cpu_of_tree, children))
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # it ended meanwhile


def measured(work: Callable[[], object], processes: Sequence[int] = ()) -> Cost:
    """What it takes here, in children that end meanwhile, and in these processes with their children."""
    cpu, wall = _cpu(processes), time.monotonic()
    work()
    return Cost(_cpu(processes) - cpu, time.monotonic() - wall)


def _cpu(processes: Iterable[int]) -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime + sum(map(cpu_of_tree, processes))


def xargs(script: str, words: Sequence[str], slots: int) -> None:
    """``sh -c SCRIPT WORD`` for each word, so many at once; the word is $0."""
    command = ["xargs", "-P", str(slots), "-n", "1", "sh", "-c", script]
    subprocess.run(command, input="\n".join(words), text=True, check=True)


def in_turns(rivals: Mapping[str, Callable[[], Cost]], rounds: int) -> dict[str, Cost]:
    """Each once a round, another one first each time; the sums."""
    sums = dict.fromkeys(rivals, Cost(0, 0))
    names = list(rivals)
    for number in range(rounds):
        turn = names[number % len(names) :] + names[: number % len(names)]
        for name in turn:
            cost = rivals[name]()
            sums[name] += cost
            print(f"  round {number + 1}  {name:16} {cost.wall:7.2f} s  {cost.cpu:7.2f} CPU s", flush=True)
    return sums


def show(sums: Mapping[str, Cost], jobs: int) -> None:
    """A line for each; ratios against the first."""
    first = next(iter(sums.values()))
    for name, cost in sums.items():
        ratio = f"wall x{cost.wall / first.wall:.3f}, CPU x{cost.cpu / first.cpu:.3f}" if cost.cpu else ""
        each = f"{jobs / cost.wall:8.1f} jobs/s  {1000 * cost.cpu / jobs:7.2f} ms CPU a job"
        print(f"{name:16} {jobs} jobs  {cost.wall:7.2f} s  {each}  {ratio}")
