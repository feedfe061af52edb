"""`fa tui`: looks at the terminal and the settings before it loads anything heavy, then runs the dashboard."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from fa.client.target import Target
from fa.errors import Invalid
from fa.tui.keys import KeyMap, read_keys
from fa.tui.look import THEMES, Look
from fa.tui.terminal import TEXTUAL, check, over_ssh, theme, wants_ascii

KEY_FILE = "fa/keys.toml"


def run(
    target: Target,
    *,
    readonly: bool = False,
    ascii: bool = False,
    mouse: bool | None = None,
    refresh_seconds: float = 1.0,
    theme: str = "",
    colour: bool = True,
) -> int:
    """The dashboard on this terminal until it is left; the exit code. ``mouse`` None: only where no SSH is between.

    Raises `Invalid` for a terminal that cannot show it or a setting that cannot be; what the client raises when no
    node can be reached, or the token is not taken."""
    env = os.environ
    check(env, os.isatty(0), os.isatty(2))
    look = _look(env, ascii, theme, colour and not env.get("NO_COLOR"))
    keys = read_key_file(env)
    if not 0.2 <= refresh_seconds <= 60:
        raise Invalid("--refresh is 0.2 to 60 seconds.")
    for name, value in TEXTUAL.items():
        env.setdefault(name, value)
    env.pop("NO_COLOR", None)  # the theme has none then; Textual's own filter would send greys

    from fa.tui.desk import Options
    from fa.tui.shell import Dashboard

    captured = not over_ssh(env) if mouse is None else mouse
    zone = datetime.now(UTC).astimezone().tzinfo
    dashboard = Dashboard(target, Options(readonly, captured, look, zone, keys), refresh_seconds)
    dashboard.run(mouse=captured)
    if dashboard.error is not None:
        raise dashboard.error
    return dashboard.return_code or 0


def _look(env: Mapping[str, str], ascii: bool, asked: str, colour: bool) -> Look:
    if asked and asked not in THEMES:
        raise Invalid(f"There is no theme {asked!r}.", hint=f"There are {', '.join(THEMES)}.")
    return Look(theme(env, asked, colour), ascii or wants_ascii(env))


def read_key_file(env: Mapping[str, str]) -> dict[str, str]:
    """The person's own keys, from `fa/keys.toml` in the configuration folder; none where there is no such file.

    Raises `Invalid`, before the screen is taken."""
    base = Path(env.get("XDG_CONFIG_HOME") or Path(env.get("HOME") or "/") / ".config")
    try:
        text = (base / KEY_FILE).read_text("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"The key file {base / KEY_FILE} cannot be read: {error}.") from None
    keys = read_keys(text)
    KeyMap(keys)
    return keys
