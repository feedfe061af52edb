"""etcd (three nodes) and PostgreSQL (one synchronous standby) on loopback, both from Debian, for side-by-side figures.

apt-get install etcd-server postgresql postgresql-contrib wrk"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from glob import glob
from pathlib import Path

from tests.e2e import kit


@contextmanager
def etcd(root: Path) -> Iterator[str]:
    """The client address of the leader's array, once it answers."""
    ports = [(kit.free_port(), kit.free_port()) for _ in range(3)]
    cluster = ",".join(f"n{i}=http://127.0.0.1:{peer}" for i, (_, peer) in enumerate(ports))
    with ExitStack() as stack:
        for i, (client, peer) in enumerate(ports):
            urls = [f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"]
            command = [
                "etcd", "--name", f"n{i}", "--data-dir", str(root / f"etcd{i}"), "--log-level", "error",
                "--listen-client-urls", urls[0], "--advertise-client-urls", urls[0],
                "--listen-peer-urls", urls[1], "--initial-advertise-peer-urls", urls[1],
                "--initial-cluster", cluster,
            ]  # fmt: skip
            log = stack.enter_context((root / f"etcd{i}.log").open("wb"))
            process = subprocess.Popen(command, stdout=log, stderr=log)
            stack.callback(_end, process)
        leader = kit.wait_until("etcd has a leader", lambda: _etcd_leader([port for port, _ in ports]))
        yield f"http://127.0.0.1:{leader}"


def _etcd_leader(ports: list[int]) -> int:
    for port in ports:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/v3/maintenance/status", b"{}")
        with urllib.request.urlopen(request, timeout=2) as answer:
            status = json.load(answer)
        if status.get("leader") and status["leader"] == status["header"]["member_id"]:
            return port
    return 0


@contextmanager
def postgres(root: Path) -> Iterator[int]:
    """The port of a primary whose commits wait for one standby to have them on disk."""
    tools = sorted(glob("/usr/lib/postgresql/*/bin"))[-1]
    home = root / "pg"
    home.mkdir()
    shutil.chown(home, "postgres", "postgres")
    root.chmod(0o755)
    primary, standby = kit.free_port(), kit.free_port()

    def run(*words: str) -> None:
        environment = {**os.environ, "PGHOST": str(home), "PGUSER": "postgres"}
        subprocess.run(
            ["runuser", "-u", "postgres", "--", *words],
            check=True, cwd=home, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def start(folder: Path, port: int) -> None:
        options = f"-p {port} -k {home} -c listen_addresses='' -c max_connections=200"
        run(f"{tools}/pg_ctl", "-D", str(folder), "-w", "-l", f"{folder}.log", "-o", options, "start")

    run(f"{tools}/initdb", "-D", str(home / "a"), "-A", "trust")
    start(home / "a", primary)
    try:
        run("psql", "-p", str(primary), "-c", "CREATE TABLE job (id bigserial PRIMARY KEY, key text UNIQUE, body text)")
        run(f"{tools}/pg_basebackup", "-p", str(primary), "-D", str(home / "b"), "-R", "-C", "-S", "b")
        start(home / "b", standby)
        run("psql", "-p", str(primary), "-c", "ALTER SYSTEM SET synchronous_standby_names = '*'")
        run("psql", "-p", str(primary), "-c", "SELECT pg_reload_conf()")
        yield primary
    finally:
        for folder in ("b", "a"):
            command = ["runuser", "-u", "postgres", "--", f"{tools}/pg_ctl", "-D", str(home / folder)]
            subprocess.run([*command, "-m", "immediate", "stop"], check=False, cwd=home, capture_output=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(30)
