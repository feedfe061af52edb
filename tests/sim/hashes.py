"""A program under two orders of Python's sets: whoever asks one of them for its order is found out."""

from __future__ import annotations

import os
import subprocess
import sys


def told_under_both(program: str) -> tuple[str, str]:
    """What it prints, in fresh processes, under each of two hash seeds."""
    return _told(program, "1"), _told(program, "2")


def _told(program: str, hash_seed: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    ).stdout
