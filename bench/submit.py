"""Mirrored submits a second: fa (three nodes) beside etcd (three nodes) and PostgreSQL (one synchronous standby).

    python -m bench.submit [--seconds 5] [--rounds 3]

All on loopback and one disk, in turns, so that all see the same noise: look at the ratios. A submit is one job with one
product over HTTPS with an idempotency key; etcd's is one put through its HTTP gateway; PostgreSQL's one insert over its
own protocol (pgbench). Clients are wrk and pgbench, one thread each."""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from bench.rivals import etcd, postgres
from tests.e2e import kit
from tests.e2e.test_failover import WAITS

CLIENTS = (1, 16, 64)

FA_SCRIPT = """
local n = 0
local run = tostring(os.time()) .. "-" .. tostring({}):sub(8)
function request()
  n = n + 1
  return wrk.format("POST", "/v1/jobs", {
    ["Content-Type"] = "application/json", ["Authorization"] = "Bearer TOKEN", ["Idempotency-Key"] = run .. "-" .. n,
  }, '{"source":"san:in/clip.mxf","factory":"waits"}')
end
"""
ETCD_SCRIPT = """
local n = 0
function request()
  n = n + 1
  return wrk.format("POST", "/v3/kv/put", { ["Content-Type"] = "application/json" },
    '{"key":"' .. string.format("Zm9v%012d", n) .. '","value":"' .. string.rep("YWJj", 20) .. '"}')
end
"""
PG_SCRIPT = "\\set n random(1, 9000000000000000)\nINSERT INTO job (key, body) VALUES (:n, repeat('abc', 20));\n"


def wrk(url: str, script: Path, clients: int, seconds: int) -> float:
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script), url]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in told, told
    return float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1])  # type: ignore[index]


def pgbench(home: Path, port: int, script: Path, clients: int, seconds: int) -> float:
    environment = {**os.environ, "PGHOST": str(home), "PGUSER": "postgres"}
    command = ["pgbench", "-n", "-f", str(script), "-c", str(clients), "-j", "1", "-T", str(seconds), "-p", str(port)]
    tool = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))[-1]
    told = subprocess.run(
        ["runuser", "-u", "postgres", "--", str(tool), *command[1:], "postgres"],
        capture_output=True, text=True, check=True, env=environment, cwd=home,
    ).stdout  # fmt: skip
    return float(re.search(r"tps = ([\d.]+)", told)[1])  # type: ignore[index]


def begin(array: kit.Array) -> tuple[kit.Node, str]:
    array.found("a", "--slots", "1")
    for name in "bc":
        array.join(name, "--slots", "1")
    array.wait_mirror()
    leader = array.coordinator()
    leader.post("/v1/factories", WAITS)
    kit.wait_until("the encoders are proved", lambda: (array["c"].root / "proved.json").exists(), 300)
    return leader, kit.fa("token", "create", "--dir", str(leader.root), "--role", "operator").strip()


def measure(root: Path, array: kit.Array, seconds: int, rounds: int) -> None:
    leader, token = begin(array)
    scripts = {"fa": FA_SCRIPT.replace("TOKEN", token), "etcd": ETCD_SCRIPT, "pg": PG_SCRIPT}
    for name, text in scripts.items():
        (root / f"{name}.script").write_text(text)
        (root / f"{name}.script").chmod(0o644)
    with etcd(root) as etcd_url, postgres(root) as port:
        rates: dict[tuple[str, int], list[float]] = defaultdict(list)
        turns: dict[str, Callable[[int], float]] = {
            "fa": lambda clients: wrk(f"https://{leader.listen}", root / "fa.script", clients, seconds),
            "etcd": lambda clients: wrk(etcd_url, root / "etcd.script", clients, seconds),
            "postgres": lambda clients: pgbench(root / "pg", port, root / "pg.script", clients, seconds),
        }
        for _ in range(rounds):
            for clients in CLIENTS:
                for name, turn in turns.items():
                    rates[name, clients].append(turn(clients))
        report(rates)


def report(rates: dict[tuple[str, int], list[float]]) -> None:
    print(f"{'clients':>8} {'fa':>8} {'etcd':>8} {'postgres':>9}   fa/etcd  fa/postgres   (median submits a second)")
    for clients in CLIENTS:
        fa, other, pg = (statistics.median(rates[name, clients]) for name in ("fa", "etcd", "postgres"))
        print(f"{clients:8} {fa:8.0f} {other:8.0f} {pg:9.0f}   {fa / other:7.2f}  {fa / pg:11.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root, kit.array(Path(root, "fa")) as array:
        measure(Path(root), array, options.seconds, options.rounds)


if __name__ == "__main__":
    main()
