"""How long `fa` takes to start, do something simple and end, beside the interpreter that does nothing.

    python -m bench.start [--runs 20]

In turns, so that all see the same noise: on a busy machine look at the ratios to `python -c pass`. `status` and `jobs`
ask a running node over its Unix socket, `jobs (https)` over TLS with a token. The goal is 150 ms (FACES.md)."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.e2e import kit

GOAL_MS = 150


def commands(array: kit.Array) -> dict[str, list[str]]:
    node = array.found()
    place = ["--dir", str(node.root)]
    token = array.root / "token"
    token.write_text(node.fa("token", "create", "--role", "viewer", *place))
    remote = ["--addr", f"https://{node.listen}", "--token-file", str(token)]
    remote += ["--cacert", str(node.root / "tls" / "ca.pem")]
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        "fa version": [*kit.FA, "version"],
        "fa --help": [*kit.FA, "--help"],
        "fa status": [*kit.FA, "status", *place],
        "fa jobs": [*kit.FA, "jobs", *place],
        "fa jobs (https)": [*kit.FA, "jobs", *remote],
    }


def took_ms(command: list[str]) -> float:
    begun = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    took = (time.perf_counter() - begun) * 1000
    assert done.returncode in (0, 1), f"{command}: {done.stderr.decode(errors='replace')}"  # 1: an array of one is solo
    return took


def report(times: dict[str, list[float]]) -> None:
    bare = statistics.median(times["python -c pass"])
    print(f"{'':18}{'median ms':>10}{'best':>8}{'worst':>8}{'x python':>10}   load {os.getloadavg()[0]:.1f}")
    for name, taken in times.items():
        median = statistics.median(taken)
        verdict = "" if median < GOAL_MS else f"   over {GOAL_MS} ms"
        print(f"{name:18}{median:10.0f}{min(taken):8.0f}{max(taken):8.0f}{median / bare:10.1f}{verdict}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="fa-start") as folder, kit.array(Path(folder)) as array:
        lines = commands(array)
        times: dict[str, list[float]] = {name: [] for name in lines}
        for turn in range(runs + 1):
            for name, command in lines.items():
                took = took_ms(command)
                if turn:  # the first one only fills the caches
                    times[name].append(took)
        report(times)


if __name__ == "__main__":
    main()
