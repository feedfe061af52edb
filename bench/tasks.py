"""Draining no-op tasks on two slots: fa, `xargs -P 2`, and Celery with Redis, in turns; jobs/s and CPU a job.

    python -m bench.tasks [--jobs 2000] [--rounds 4] [--celery /path/to/venv/bin/python]

A task is one small program that copies one small file. fa also commits each step durably, hashes the output, and
publishes it; Celery acknowledges late, through a Redis that fsyncs each second (`everysec`, Redis's default) or each
write (`always`, as fa does). The CPU is that of all processes that take part. To have the rival:

    apt install redis-server; python3 -m venv V; V/bin/pip install celery redis packaging"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import psutil

from bench.rounds import Cost, in_turns, measured, show, xargs
from tests.e2e import kit

SLOTS = 2
SCRIPT = '#!/bin/sh\nexec /bin/cp "$1" "$2"\n'
FACTORY = """
name = "noop"
[[products]]
name = "copy"
exec = ["noop", "{input}", "{output}"]
destination = "san:out/{job}.txt"
"""


def through_fa(node: kit.Node, count: int) -> Cost:
    assert node.process is not None, "it was started"
    ended = sum(node.status()["jobs"][state] for state in ("succeeded", "failed", "cancelled"))

    def work() -> None:
        for start in range(0, count, 500):
            jobs = [{"source": "san:in/clip.txt", "factory": "noop"}] * min(500, count - start)
            node.post("/v1/jobs:batch", {"jobs": jobs})
        kit.wait_until("the round ended", lambda: kit.all_ended(node, ended + count), 3600, every=0.1)

    cost = measured(work, [node.process.pid])
    assert node.status()["jobs"]["failed"] == 0, "a comparison of failures says nothing"
    return cost


class Celery:
    """A worker of two processes, and a Redis of its own, on loopback."""

    def __init__(self, python: str, root: Path, redis: subprocess.Popen[bytes], port: int) -> None:
        self._python = python
        self._redis = redis
        self._env = {**os.environ, "BENCH_REDIS": f"redis://127.0.0.1:{port}/0"}
        self._root = root
        shutil.copy(
            Path(__file__).with_name("celery_app.py"), root
        )  # here, our packaging/ hides the module of that name
        words = ["-m", "celery", "-A", "celery_app", "worker", "-c", str(SLOTS), "-l", "WARNING"]
        log = (root / "celery.log").open("wb")
        self.worker = subprocess.Popen([python, *words], cwd=root, env=self._env, stdout=log, stderr=log)

    def warm_up(self) -> None:
        self.drain(1, "/bin/true")

    def drain(self, count: int, *command: str) -> Cost:
        def work() -> None:
            words = [self._python, "-m", "celery_app", str(count), *command]
            subprocess.run(words, cwd=self._root, env=self._env, check=True, capture_output=True, timeout=3600)

        return measured(work, [self._redis.pid, self.worker.pid])

    def close(self) -> None:
        self.worker.terminate()
        self.worker.wait(60)


@contextmanager
def celery(python: str, root: Path, fsync: str) -> Iterator[Celery]:
    port = kit.free_port()
    root.mkdir()
    words = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(root), "--appendonly", "yes", "--save", ""]
    words += ["--appendfsync", fsync]
    redis = subprocess.Popen(["redis-server", *words], stdout=subprocess.DEVNULL)
    try:
        kit.wait_until("redis answers", lambda: _listens(port))
        rival = Celery(python, root, redis, port)
        try:
            rival.warm_up()
            yield rival
        finally:
            rival.close()
    finally:
        redis.terminate()
        redis.wait(60)


def _listens(port: int) -> bool:
    return any(each.laddr.port == port and each.status == "LISTEN" for each in psutil.net_connections("tcp"))


def missing(python: str) -> str:
    """Why there is no Celery to compare with; empty when there is."""
    if shutil.which("redis-server") is None:
        return "redis-server is missing (apt install redis-server)"
    if (
        not python
        or subprocess.run(
            [python, "-c", "import celery, redis, packaging"], capture_output=True, check=False
        ).returncode
    ):
        return "name a Python that has celery, redis and packaging: --celery V/bin/python"
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--celery", default="", help="a Python that has celery and redis")
    options = parser.parse_args()
    count = options.jobs // options.rounds
    with tempfile.TemporaryDirectory() as root, kit.array(Path(root)) as array, ExitStack() as stack:
        noop, source, out = Path(root, "noop"), array.san / "in" / "clip.txt", Path(root, "x")
        noop.write_text(SCRIPT)
        noop.chmod(0o755)
        out.mkdir()
        source.write_text("a small file\n")
        array.settings["a"] = {"transcode": {"exec": [str(noop)]}}
        node = array.found("a", "--slots", str(SLOTS))
        kit.wait_until("the encoders are proved", lambda: (node.root / "proved.json").exists(), 240)
        node.post("/v1/factories", FACTORY)
        rivals = {
            "fa": lambda: through_fa(node, count),
            "xargs -P 2": lambda: measured(
                lambda: xargs(f"{noop} {source} {out}/$0", [str(number) for number in range(count)], SLOTS)
            ),
        }
        why = missing(options.celery)
        if why:
            print(f"without Celery: {why}")
        else:
            for fsync in ("everysec", "always"):
                rival = stack.enter_context(celery(options.celery, Path(root, fsync), fsync))
                rivals[f"celery, {fsync}"] = partial(rival.drain, count, str(noop), str(source), str(out / "one"))
        show(in_turns(rivals, options.rounds), count * options.rounds)


if __name__ == "__main__":
    main()
