"""A factory from its TOML, with every problem found at once.

An operator who applies a recipe with three typos is told three sentences, each with the place and, where one is near,
the word that was probably meant. The values themselves are in ``recipe_values``; they are offered here too.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from typing import Any

from fa.core.reading import Problem, Reader, boolean, meant, name_of, seconds, strings, text_of, whole
from fa.core.recipe_args import args_problems
from fa.core.recipe_needs import known_encoders, known_filters, requirements
from fa.core.recipe_path import TemplateError, check_template, destination_values, render_destination
from fa.core.recipe_values import Factory, Notify, Product, factory_from_dict, factory_to_dict, freeze_overrides
from fa.core.recipe_words import OVERRIDES, PRESETS, PRIORITIES, REQUIREMENT_KINDS, SLOT_CLASSES
from fa.errors import Unprocessable

__all__ = [
    "Factory",
    "Notify",
    "Product",
    "RecipeError",
    "destination_values",
    "factory_from_dict",
    "factory_to_dict",
    "known_encoders",
    "known_filters",
    "parse_factory",
    "parse_priority",
    "render_destination",
    "requirements",
]

_REQUIREMENT = re.compile(rf"({'|'.join(REQUIREMENT_KINDS)}):[A-Za-z0-9][A-Za-z0-9_.+-]{{0,63}}")
_seconds = seconds(1, 86400, 'must be a time from 1 s to 24 h, such as 60 or "90s"')

_FACTORY_KEYS = (
    "name",
    "priority",
    "description",
    "requires",
    "products",
    "notify",
    "attempts",
    "stall_after",
    "localise",
    "replace",
    "enabled",
)
PRODUCTS_MAX = 64  # each job is a task for each; a request makes 1,000 jobs in one commit, and a list shows 500
_PRODUCT_KEYS = ("name", "preset", "destination", "args", "exec", "cost", "slot")


class RecipeError(Unprocessable):
    """The recipe cannot be used as it stands; nothing was changed."""

    code = "bad-recipe"
    what = "recipe"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        sentences = "; ".join(f"{pointer or self.what} {sentence}" for pointer, sentence in self.problems)
        end = "" if sentences.endswith("?") else "."
        super().__init__(f"The {self.what} cannot be used: {sentences}{end}", hint="Correct it and apply it again.")


def parse_factory(text: str) -> Factory:
    """The factory that the TOML in ``text`` describes. Raises RecipeError with every (pointer, sentence) at once."""
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecipeError([("", f"is not TOML: {error}")]) from None
    reader = Reader(table)
    factory = _factory(reader)
    if reader.problems:
        raise RecipeError(reader.problems)
    return factory


def parse_priority(value: Any) -> int:
    """0..100 from a number or one of the names low, normal, high, urgent. Raises ValueError with a sentence."""
    if isinstance(value, str) and value in PRIORITIES:
        return PRIORITIES[value]
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 100:
        return value
    raise ValueError("must be a whole number from 0 to 100, or one of " + ", ".join(PRIORITIES))


def _factory(reader: Reader) -> Factory:
    reader.refuse_unknown(_FACTORY_KEYS)
    return Factory(
        name=reader.need("name", name_of, ""),
        priority=reader.take("priority", parse_priority, 50),
        description=reader.take("description", text_of, ""),
        requires=tuple(sorted(set(reader.take("requires", _requires, ())))),
        products=_products(reader),
        notify=_notify(reader),
        attempts=reader.take("attempts", whole(1, 20), 3),
        stall_after=reader.take("stall_after", _seconds, 60.0),
        localise=reader.take("localise", boolean, False),
        replace=reader.take("replace", boolean, False),
        enabled=reader.take("enabled", boolean, True),
    )


def _products(reader: Reader) -> tuple[Product, ...]:
    tables = reader.table.get("products")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        reader.problem("products", "is missing: a factory needs at least one [[products]] table")
        return ()
    if len(tables) > PRODUCTS_MAX:
        reader.problem("products", f"are {len(tables)}: a factory has {PRODUCTS_MAX} at most")
        return ()
    made = [_product(reader.within(table, f"products[{index}]")) for index, table in enumerate(tables)]
    _refuse_twins(reader, [product.name for product in made], "name", "also names another product")
    _refuse_twins(reader, [product.destination for product in made], "destination", "is also that of another product")
    return tuple(made)


def _refuse_twins(reader: Reader, values: list[str], key: str, sentence: str) -> None:
    """Two products may share a destination template only when it tells them apart by {product}."""
    for index, value in enumerate(values):
        if value and value in values[:index] and "{product}" not in value:
            reader.problem(f"products[{index}].{key}", sentence)


def _product(reader: Reader) -> Product:
    reader.refuse_unknown((*_PRODUCT_KEYS, *OVERRIDES))
    if ("preset" in reader.table) == ("exec" in reader.table):
        reader.problem("preset", "is missing: a product has either a preset or an exec, not both and not neither")
    settings = {key: reader.take(key, check, None) for key, check in OVERRIDES.items() if key in reader.table}
    preset = reader.take("preset", _preset, "")
    if preset:
        _refuse_useless(reader, preset, settings)
    if "exec" in reader.table and (settings or "args" in reader.table):
        reader.problem("exec", "takes no overrides and no args: they belong to presets")
    return Product(
        name=reader.need("name", name_of, ""),
        destination=reader.need("destination", _destination, ""),
        preset=preset,
        overrides=freeze_overrides({key: value for key, value in settings.items() if value is not None}),
        args=_args(reader),
        exec=reader.take("exec", _exec, ()),
        cost=reader.take("cost", whole(1, 64), 1),
        slot=reader.take("slot", _slot, "cpu"),
    )


def _refuse_useless(reader: Reader, preset: str, settings: Iterable[str]) -> None:
    """A setting that a preset would silently ignore is a mistake of whoever wrote it."""
    accepted = PRESETS[preset].accepts
    for key in settings:
        if key not in accepted:
            reader.problem(key, f"means nothing to the preset {preset}, which takes " + ", ".join(accepted))


def _args(reader: Reader) -> tuple[str, ...]:
    args: tuple[str, ...] = reader.take("args", strings, ())
    for index, sentence in args_problems(args):
        reader.problem(f"args[{index}]", f"({args[index]!r}) {sentence}")
    return args


def _notify(reader: Reader) -> Notify:
    table = reader.table.get("notify", {})
    if not isinstance(table, dict):
        reader.problem("notify", "must be a table with on_success and on_failure")
        return Notify()
    inner = reader.within(table, "notify")
    inner.refuse_unknown(("on_success", "on_failure"))
    return Notify(inner.take("on_success", _urls, ()), inner.take("on_failure", _urls, ()))


def _requires(value: Any) -> tuple[str, ...]:
    words = strings(value)
    for word in words:
        if not _REQUIREMENT.fullmatch(word):
            raise ValueError(f"holds {word!r}, which is not one of {', '.join(REQUIREMENT_KINDS)} followed by :name")
    return words


def _urls(value: Any) -> tuple[str, ...]:
    urls = strings(value)
    for url in urls:
        if not re.match(r"[a-z][a-z0-9+.-]*://\S", url) or not url.isprintable():
            raise ValueError("must be a list of Apprise URLs, such as mailto://…")
    return urls


def _preset(value: Any) -> str:
    if not isinstance(value, str) or value not in PRESETS:
        raise ValueError(f"{value!r} is not a preset{meant(str(value), PRESETS)}; known are " + ", ".join(PRESETS))
    return value


def _slot(value: Any) -> str:
    if value not in SLOT_CLASSES:
        raise ValueError("must be one of " + ", ".join(SLOT_CLASSES))
    return str(value)


def _destination(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text such as san:out/{source.stem}.mp4")
    try:
        check_template(value)
    except TemplateError as error:
        raise ValueError(str(error)) from None
    return value


def _exec(value: Any) -> tuple[str, ...]:
    words = strings(value)
    if not words or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}", words[0]):
        raise ValueError("must start with the plain name of a program that the nodes allow")
    if "{input}" not in words or "{output}" not in words:
        raise ValueError("must hold {input} and {output}, each as a word of its own")
    if any("\0" in word for word in words):
        raise ValueError("holds a NUL character")
    return words
