"""The single entry: what it reports and what it answers."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fa.transcode.perform import EncodeResult, Report
from tests.transcode.conftest import Encode, product_of


async def test_a_proxy_comes_out_verified(clips: Path, encode: Encode, tmp_path: Path) -> None:
    reports: list[Report] = []
    result = await encode(clips / "p25.mp4", product_of("h264-mp4", speed="ultrafast"), reports.append)
    assert isinstance(result, EncodeResult), result
    data = (tmp_path / "out.part").read_bytes()
    assert (result.digest.bytes, result.digest.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert [each.what for each in reports][:1] == ["probe"]
    assert reports[-1] == Report("accept", 1.0)
    shares = [each.progress for each in reports]
    assert shares == sorted(shares)
