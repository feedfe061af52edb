"""`fa factory test`: two seconds of a synthetic source through every product of a recipe, on this node, before anybody
relies on it. Nothing is published; everything is made in scratch and removed."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fa.core.recipe import parse_factory
from fa.core.recipe_values import Factory, Product
from fa.node.attempt import Workshop
from fa.transcode.perform import EncodeRequest, EncodeResult, perform
from fa.transcode.synthetic import synthetic_source

SECONDS = 2.0


async def test_factory(shop: Workshop, text: str) -> Sequence[Mapping[str, Any]]:
    """One report per product: `product`, `ok`, and what came out (bytes, seconds, streams) or why nothing did.

    Raises `RecipeError` for a recipe that is not valid, `ToolsMissing` without an ffmpeg."""
    recipe = parse_factory(text)
    shop.scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="factory-test-", dir=shop.scratch))
    try:
        source = folder / "source.mxf"
        await synthetic_source(shop.tools, shop.sandbox, source, seconds=SECONDS, kind="25i-mxf")
        return [
            await _try(shop, recipe, product, source, folder / f"output-{n}")
            for n, product in enumerate(recipe.products)
        ]
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, True)


async def _try(shop: Workshop, recipe: Factory, product: Product, source: Path, output: Path) -> Mapping[str, Any]:
    request = EncodeRequest(
        product,
        str(source),
        str(output),
        output.with_suffix(".log"),
        shop.tools,
        shop.sandbox,
        stall_after=recipe.stall_after,
        programs=shop.programs,
    )
    result = await perform(request, lambda report: None)
    if not isinstance(result, EncodeResult):
        return {"product": product.name, "ok": False, "error": result.sentence}
    report = {"product": product.name, "ok": True, "bytes": result.digest.bytes, "cpu_seconds": round(result.cpu, 2)}
    return report | _described(result)


def _described(result: EncodeResult) -> dict[str, Any]:
    if result.info is None:
        return {}
    info = result.info
    return {
        "seconds": info.duration,
        "video": [f"{v.codec} {v.width}x{v.height}" for v in info.video],
        "audio": [f"{a.codec} {a.channels} channels" for a in info.audio],
        "timecode": info.timecode,
    }
