"""Tools found once, and sources made once, for all tests of transcode."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from fa.core.recipe import Product, parse_factory
from fa.core.recipe_words import PRESETS
from fa.transcode.perform import EncodeFailure, EncodeRequest, EncodeResult, Report, perform
from fa.transcode.sandbox import Sandbox, find_sandbox
from fa.transcode.synthetic import synthetic_source
from fa.transcode.tools import Tools, find_tools

Encode: TypeAlias = Callable[..., Awaitable[EncodeResult | EncodeFailure]]


@pytest.fixture(scope="session")
def tools() -> Tools:
    return find_tools()


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    return find_sandbox()


@pytest.fixture(scope="session")
def clips(tools: Tools, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``p25.mp4`` (320x180, 25p, stereo, 2 s) and ``i25.mxf`` (1080i25, timecode, eight tracks, 1 s)."""
    folder = tmp_path_factory.mktemp("clips")

    async def make() -> None:
        await synthetic_source(tools, sandbox, folder / "p25.mp4", seconds=2, kind="25p-mp4", size="320x180")
        await synthetic_source(tools, sandbox, folder / "i25.mxf", seconds=1, kind="25i-mxf")

    asyncio.run(make())
    return folder


def product_of(preset: str, **settings: object) -> Product:
    """A product of that preset, through the parser of recipes, as an operator would write it."""
    lines = [f"{name} = {_toml(value)}" for name, value in settings.items()]
    destination = f"san:out/{{source.stem}}{PRESETS[preset].extension}"
    text = f'name = "f"\n[[products]]\nname = "p"\npreset = "{preset}"\ndestination = "{destination}"\n' + "\n".join(
        lines
    )
    return parse_factory(text).products[0]


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


@pytest.fixture
def encode(tools: Tools, sandbox: Sandbox, tmp_path: Path) -> Encode:
    """``await encode(source, product)``; the output is ``tmp_path/"out.part"``."""

    async def encode_one(
        source: Path | str, product: Product, on_report: Callable[[Report], None] = lambda report: None, **more: object
    ) -> EncodeResult | EncodeFailure:
        fields: dict[str, Any] = {"output": str(tmp_path / "out.part"), "log_path": tmp_path / "attempt.log"}
        fields |= {"tools": tools, "sandbox": sandbox} | more
        return await perform(EncodeRequest(product=product, source=str(source), **fields), on_report)

    return encode_one
