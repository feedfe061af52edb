"""Copies of sources on local disk, one for each attempt that wants one. Several nodes may be given the same folder, so
each name tells whose it is: what an earlier life of this node left goes when it starts, and nothing else."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from fa.core.commands import Order

log = logging.getLogger(__name__)


def copy_for(scratch: Path, order: Order) -> Path:
    return scratch / f"{order.task}-{order.attempt}~{order.node}"


def clear(scratch: Path, node: str) -> None:
    """Before this node runs anything. Trouble with it is none of the start. Blocking."""
    ours = re.compile(rf"\d+-\d+~{re.escape(node)}")
    try:
        for path in scratch.iterdir() if scratch.is_dir() else ():
            if ours.fullmatch(path.name):
                path.unlink()
                log.info("removed %s, the copy of an attempt that died with this node", path)
    except OSError as error:
        log.warning("scratch could not be cleared: %s", error)
