"""The values of a recipe: a factory, and the products that it makes.

They are frozen, hashable and made of plain parts, so that they cross every border (store, wire, core, transcode) as
they are. ``recipe.parse_factory`` makes them from TOML, ``factory_from_dict`` from what the store kept.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

Scalar: TypeAlias = str | int | float | bool
Value: TypeAlias = Scalar | tuple[Scalar, ...]
Override: TypeAlias = tuple[str, Value]


@dataclass(frozen=True, slots=True)
class Product:
    """One output of a factory: what to make of the source, and where it is delivered.

    Exactly one of ``preset`` (a name of ``recipe_words.PRESETS``) and ``exec`` (argv of a site's own tool, with
    ``{input}`` and ``{output}`` as whole words) is set. ``overrides`` are the settings written beside the preset, by
    name, sorted; ``args`` are ffmpeg output options of the operator, put last. ``cost`` counts slots of class ``slot``.
    """

    name: str
    destination: str
    preset: str = ""
    overrides: tuple[Override, ...] = ()
    args: tuple[str, ...] = ()
    exec: tuple[str, ...] = ()
    cost: int = 1
    slot: str = "cpu"

    def override(self, name: str) -> Value | None:
        """The value written beside the preset, or None when the preset decides."""
        return dict(self.overrides).get(name)


@dataclass(frozen=True, slots=True)
class Notify:
    """Whom to tell when a job ends: Apprise URLs."""

    on_success: tuple[str, ...] = ()
    on_failure: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Factory:
    """A named recipe. ``priority`` is 0..100; ``requires`` holds ``kind:name`` words on top of what the products need.

    ``stall_after`` is in seconds. ``localise``: copy the source to local scratch before encoding. ``replace``: publish
    may overwrite what is at the destination (otherwise an existing file fails the task).
    """

    name: str
    products: tuple[Product, ...]
    priority: int = 50
    description: str = ""
    requires: tuple[str, ...] = ()
    notify: Notify = Notify()
    attempts: int = 3
    stall_after: float = 60.0
    localise: bool = False
    replace: bool = False
    enabled: bool = True

    def product(self, name: str) -> Product | None:
        """The product of that name, or None."""
        return next((product for product in self.products if product.name == name), None)


def factory_to_dict(factory: Factory) -> dict[str, Any]:
    """Plain dicts, lists and scalars: what the store and the API keep. ``factory_from_dict`` is its inverse."""
    plain = asdict(factory)
    for kept, product in zip(plain["products"], factory.products, strict=True):
        kept["overrides"] = {
            name: list(value) if isinstance(value, tuple) else value for name, value in product.overrides
        }
    plain["products"] = list(plain["products"])
    return plain


def factory_from_dict(plain: dict[str, Any]) -> Factory:
    """The factory that ``factory_to_dict`` wrote (also after a trip through JSON). Nothing is checked."""
    fields = dict(plain)
    fields["products"] = tuple(_product(each) for each in plain["products"])
    fields["requires"] = tuple(plain["requires"])
    fields["notify"] = Notify(**{event: tuple(urls) for event, urls in plain["notify"].items()})
    return Factory(**fields)


def freeze_overrides(settings: dict[str, Any]) -> tuple[Override, ...]:
    """The settings as a sorted tuple of pairs, lists as tuples."""
    return tuple((name, tuple(value) if isinstance(value, list) else value) for name, value in sorted(settings.items()))


def _product(plain: dict[str, Any]) -> Product:
    fields = dict(plain)
    fields["overrides"] = freeze_overrides(plain["overrides"])
    fields["args"] = tuple(plain["args"])
    fields["exec"] = tuple(plain["exec"])
    return Product(**fields)
