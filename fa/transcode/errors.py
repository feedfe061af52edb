"""Why a product could not be made, as kinds that decide whether trying again can help."""

from __future__ import annotations

from fa.errors import FaError, Unprocessable


class BadSource(Unprocessable):
    """The source cannot be transcoded; another attempt would end alike. Replace the source and submit it again."""

    code = "bad-source"


class BadRecipe(Unprocessable):
    """The recipe cannot be carried out; another attempt would end alike. Correct the factory."""

    code = "bad-recipe"


class ToolsMissing(FaError):
    """No usable ffmpeg was found. Install it, or name its path in the settings of the node."""

    code = "no-ffmpeg"
    status = 503


class BadOutput(FaError):
    """ffmpeg ended without an error, but what it wrote did not pass the acceptance check."""

    code = "bad-output"


class Transient(FaError):
    """Something around the encode failed; another attempt may succeed."""

    code = "transient"
