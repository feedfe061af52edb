"""Does a long queue cost anything? Pages and dispatch of a real node with 100 and with 100,000 queued jobs.

    python -m bench.backlog [--queued 100000]

Work is an `exec` product that copies a small file, so that dispatch and publish are what is measured. Prints the time
of the first page of all jobs (median of 20, over the Unix socket), tasks a second, and the ratio."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from tests.e2e import kit

COPY = """
name = "copy"
[[products]]
name = "copy"
exec = ["cp", "{input}", "{output}"]
destination = "san:out/{job}.bin"
"""
TASKS = 60
BATCH = 1000


def allow_copy(node: kit.Node) -> None:
    settings = node.root / "fa.toml"
    node.stop()
    settings.write_text(settings.read_text() + '\n[transcode]\nexec = ["/bin/cp"]\n')
    node.start()
    kit.wait_until("it leads again", node.leads)


def submit(node: kit.Node, count: int) -> None:
    for start in range(0, count, BATCH):
        jobs = [{"source": "san:in/small.bin", "factory": "copy"}] * min(BATCH, count - start)
        node.post("/v1/jobs:batch", {"jobs": jobs})


def first_page(node: kit.Node) -> float:
    """Milliseconds."""
    times = []
    for _ in range(20):
        began = time.monotonic()
        node.get("/v1/jobs")
        times.append((time.monotonic() - began) * 1000)
    return statistics.median(times)


def tasks_a_second(node: kit.Node) -> float:
    before = node.status()["jobs"]["succeeded"]
    began = time.monotonic()
    kit.wait_until("tasks are done", lambda: node.status()["jobs"]["succeeded"] >= before + TASKS, 600)
    return (node.status()["jobs"]["succeeded"] - before) / (time.monotonic() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queued", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root, kit.array(Path(root)) as array:
        node = array.found("a", "--slots", "2")
        allow_copy(node)
        node.post("/v1/factories", COPY)
        (array.san / "in" / "small.bin").write_bytes(b"x" * 4096)
        kit.wait_until("the node offers work", lambda: node.get("/v1/nodes")["items"][0]["offers"], 300)
        submit(node, 100)
        short = tasks_a_second(node)
        page = first_page(node)
        print(f"    100 queued: first page {page:5.1f} ms, {short:5.1f} tasks a second", flush=True)
        began = time.monotonic()
        submit(node, options.queued)
        print(f"{options.queued} submitted in {time.monotonic() - began:.1f} s", flush=True)
        long = tasks_a_second(node)
        page = first_page(node)
        print(f"{options.queued:7} queued: first page {page:5.1f} ms, {long:5.1f} tasks a second")
        print(f"dispatch with the long queue: {long / short:.2f} times as fast")


if __name__ == "__main__":
    main()
