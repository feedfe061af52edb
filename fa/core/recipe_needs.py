"""What a node must have before a task of a product may be placed on it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from fa.core.recipe_path import template_volume
from fa.core.recipe_values import Factory, Product
from fa.core.recipe_words import PRESETS

_LOUDNESS = ("alimiter", "ebur128", "volume")
_CODEC_OPTION = re.compile(r"-(?:c|codec):([va])(?::.*)?|-([va])codec")


def requirements(factory: Factory, product: Product) -> frozenset[str]:
    """Words ``encoder:… exec:… filter:… tag:… volume:…``: the factory's own and those that follow from the product."""
    words = set(factory.requires)
    words.add(f"volume:{template_volume(product.destination)}")
    if product.exec:
        words.add(f"exec:{product.exec[0]}")
        return frozenset(words)
    needs = PRESETS[product.preset]
    words.update(f"encoder:{name}" for name in needs.encoders)
    words.update(f"filter:{name}" for name in needs.filters)
    if product.override("loudness") not in (None, "off"):
        words.update(f"filter:{name}" for name in _LOUDNESS)
    words.update(f"encoder:{name}" for name in _encoders_of(product.args))
    return frozenset(words)


def known_encoders() -> tuple[str, ...]:
    """Every encoder that some preset uses, sorted: what a node proves when it starts."""
    return tuple(sorted({name for needs in PRESETS.values() for name in needs.encoders}))


def known_filters() -> tuple[str, ...]:
    """Every filter that some preset or override uses, sorted."""
    return tuple(sorted({name for needs in PRESETS.values() for name in needs.filters} | set(_LOUDNESS)))


def names_encoder(option: str, kinds: str = "va") -> bool:
    """Whether this word of `args` is followed by an encoder, for video (v) or audio (a)."""
    found = _CODEC_OPTION.fullmatch(option)
    return found is not None and (found[1] or found[2]) in kinds


def to_prove(words: Iterable[str]) -> frozenset[str]:
    """Those that a node can only know by trying."""
    return frozenset(word for word in words if word.startswith(("encoder:", "filter:")))


def _encoders_of(args: tuple[str, ...]) -> list[str]:
    return [value for option, value in pairwise(args) if names_encoder(option) and value != "copy"]
