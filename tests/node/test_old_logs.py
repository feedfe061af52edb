from __future__ import annotations

import os
from pathlib import Path

from fa.node.old_logs import sweep


def test_only_old_logs_go(tmp_path: Path) -> None:
    for name, written in (("1-1.log", 100), ("2-1.log", 300), ("proved.json", 100)):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (written, written))
    assert sweep(tmp_path, 200) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2-1.log", "proved.json"]
