"""What a Celery worker of `bench.tasks` runs; it is started with the Python that has Celery."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import celery  # type: ignore[import-not-found]

app = celery.Celery("bench", broker=os.environ["BENCH_REDIS"], backend=os.environ["BENCH_REDIS"])
app.conf.update(
    task_acks_late=True,  # as fa: a task of a worker that dies is run again
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
)


@app.task(name="bench.run")  # type: ignore[untyped-decorator]
def run(command: list[str]) -> int:
    """Start a program and wait for it."""
    return subprocess.run(command, check=True, capture_output=True).returncode


def main(count: int, *command: str) -> None:
    """Submit so many, wait for all, print seconds of wall and of CPU of this client."""
    begun = time.monotonic()
    results = [run.delay(list(command)) for _ in range(count)]
    for result in results:
        assert result.get(timeout=600) == 0
    print(time.monotonic() - begun)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
