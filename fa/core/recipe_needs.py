"""What a node must have before a task of a product may be placed on it."""

from __future__ import annotations

from itertools import pairwise

from fa.core.recipe_path import template_volume
from fa.core.recipe_values import Factory, Product
from fa.core.recipe_words import PRESETS

_LOUDNESS = ("alimiter", "ebur128", "volume")
_CODEC_OPTIONS = ("-c:v", "-c:a", "-codec:v", "-codec:a", "-vcodec", "-acodec")


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


def _encoders_of(args: tuple[str, ...]) -> list[str]:
    return [value for option, value in pairwise(args) if option in _CODEC_OPTIONS and value != "copy"]
