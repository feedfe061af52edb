"""Where a product is delivered: from a template to a volume and a relative path that cannot leave it.

Each value becomes ONE path component (SECURITY.md 4.3): NFC, no separator, no control or bidi character, no leading
``-`` or ``.``, no trailing dot or space, no name that Windows clients of the same share cannot open, at most 200 bytes
of UTF-8. ``%`` stays: a destination never reaches ffmpeg, which only ever sees part names that fa made.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache

from fa.core.recipe_words import VARIABLES
from fa.errors import Unprocessable

VALUE_BYTES = 200
COMPONENT_BYTES = 255
PATH_BYTES = 3072
RESERVED_FOLDER = ".fa"

_VOLUME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_WINDOWS = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_PLAIN = re.compile(r"[A-Za-z0-9 _.,()+=-]+")  # what most names are made of, and nothing in it needs a second look
_LEADING = re.compile(r"^[-.\s]+")
_JOINERS = ("\u200c", "\u200d")
_FOREIGN = ("Cc", "Cf", "Cs", "Zl", "Zp")


class TemplateError(ValueError):
    """The destination template is not valid; the message is a sentence for the operator."""


class DestinationError(Unprocessable):
    """The destination that the template gives for this source cannot be written."""

    code = "bad-destination"


def clean_component(value: str, limit: int = VALUE_BYTES) -> str:
    """One safe path component of at most ``limit`` bytes for any text, never empty."""
    text = value if _PLAIN.fullmatch(value) else "".join(map(_safe, unicodedata.normalize("NFC", value)))
    text = _LEADING.sub("_", text)
    text = _shorten(text, limit).rstrip(". ")
    if _WINDOWS.fullmatch(text):
        text = f"_{text}"
    return text or "_"


def check_template(template: str) -> None:
    """Raise TemplateError unless ``template`` is ``volume:relative/path`` that uses known variables only."""
    volume, path = _split(template)
    if not _VOLUME.fullmatch(volume):
        raise TemplateError("must start with the name of a volume, such as san:out/{source.stem}.mp4")
    _check_relative(_render(path, dict.fromkeys(VARIABLES, "x"), VALUE_BYTES))


def template_volume(template: str) -> str:
    """The volume that a valid template delivers to."""
    return _split(template)[0]


def render_destination(template: str, values: Mapping[str, str]) -> tuple[str, str]:
    """The volume and the relative path that ``template`` gives with these values (see ``destination_values``).

    A component that comes out longer than a file system takes is made again with shorter values. Raises
    DestinationError when the template is not valid, or no shortening helps.
    """
    try:
        volume, path = _checked(template)
        for limit in (VALUE_BYTES, 120, 60, 30, 12):
            relative = _render(path, values, limit)
            if _fits(relative):
                _check_relative(relative)
                return volume, relative
    except TemplateError as error:
        raise DestinationError(f"The destination {template!r} {error}.", hint="Correct the factory.") from None
    raise DestinationError("The destination path is too long for a file system.", hint="Use a shorter template.")


def destination_values(source: str, **values: str | int) -> dict[str, str]:
    """The variables of a template: those of ``source`` (its path on its volume), and job, product, factory, date,
    time, subject, attempt as given."""
    parent, _, name = source.rpartition("/")
    stem, suffix = posixpath.splitext(name)
    if not stem.strip(". ") or suffix == ".":
        stem, suffix = name, ""
    named = {
        "source.stem": stem,
        "source.name": name,
        "source.ext": suffix.lstrip("."),
        "source.dir": parent.strip("/"),
    }
    return named | {name: str(value) for name, value in values.items()}


@lru_cache(maxsize=1024)
def _checked(template: str) -> tuple[str, str]:
    """Volume and path of a valid template: few templates name many files."""
    check_template(template)
    return _split(template)


def _split(template: str) -> tuple[str, str]:
    volume, colon, path = template.partition(":")
    if not colon:
        raise TemplateError("must start with the name of a volume, such as san:out/{source.stem}.mp4")
    return volume, path


@lru_cache(maxsize=1024)
def _pieces(path: str) -> tuple[tuple[str, str], ...]:
    """(literal, variable) pairs, of which one is empty."""
    return tuple(_cut(path))


def _cut(path: str) -> Iterator[tuple[str, str]]:
    for token in _TOKEN.finditer(path):
        text = token.group()
        if text in ("{{", "}}"):
            yield text[0], ""
        elif token.group(1) is not None:
            yield "", token.group(1)
        elif text in "{}":
            raise TemplateError("has a lone brace; write {{ or }} for a literal one")
        else:
            yield text, ""


def _render(path: str, values: Mapping[str, str], limit: int) -> str:
    rendered = []
    for literal, variable in _pieces(path):
        if not literal and variable not in VARIABLES:
            raise TemplateError(f"has the unknown variable {{{variable}}}; known are " + ", ".join(VARIABLES))
        rendered.append(literal or clean_component(values.get(variable, ""), limit))
    return "".join(rendered)


def _check_relative(path: str) -> None:
    if path.startswith("/"):
        raise TemplateError("must be relative to its volume: no / after the colon")
    for component in path.split("/"):
        if component in ("", ".", ".."):
            raise TemplateError("must not hold empty, . or .. components")
        if component == RESERVED_FOLDER:
            raise TemplateError(f"must not lead into {RESERVED_FOLDER}, which belongs to fa")
        plain = _PLAIN.fullmatch(component)
        if not plain and ("\\" in component or any(_safe(char) != char for char in component)):
            raise TemplateError("must not hold control characters or backslashes")


def _fits(path: str) -> bool:
    size = max(len(part.encode()) for part in path.split("/"))
    return size <= COMPONENT_BYTES and len(path.encode()) <= PATH_BYTES


def _safe(char: str) -> str:
    if char in "/\\" or (unicodedata.category(char) in _FOREIGN and char not in _JOINERS):
        return "_"
    return char


def _shorten(text: str, limit: int) -> str:
    return text.encode()[:limit].decode(errors="ignore")
