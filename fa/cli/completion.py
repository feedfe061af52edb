"""`fa completion`: scripts for bash, zsh and fish, made from the parser itself, so that they never differ from it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from fa.cli.context import Context
from fa.cli.parser import Parser, leaf

SHELLS = ("bash", "zsh", "fish")
LISTS = {  # commands whose arguments are names: the command that prints those
    "job": "fa jobs -q",
    "why": "fa jobs -q",
    "node": "fa nodes -q",
    "factory": "fa factories -q",
    "monitor": "fa monitors -q",
    "volume": "fa volume list -q",
}


def completion(parser: Parser) -> None:
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))
    examples = (
        "fa completion bash > /etc/bash_completion.d/fa",
        "fa completion zsh > ~/.zfunc/_fa",
        "fa completion fish > ~/.config/fish/completions/fa.fish",
    )
    leaf(parser, _completion, *examples)


def _completion(context: Context) -> None:
    from fa.cli.main import build_parser

    nodes = list(walk(build_parser()))
    context.print({"bash": bash, "zsh": zsh, "fish": fish}[context.args.shell](nodes))


@dataclass(frozen=True, slots=True)
class Place:
    """A command by its words (() is `fa` itself): the commands below it with their summaries, its options."""

    words: tuple[str, ...]
    below: tuple[tuple[str, str], ...]
    options: tuple[str, ...]

    @property
    def names(self) -> str:
        """The command that prints what may stand here, "" when nothing can be listed."""
        return LISTS.get(self.words[0], "") if self.words and not self.below else ""


def walk(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[Place]:
    """Every command of the parser, the outer ones first."""
    options = tuple(sorted(name for action in parser._actions for name in action.option_strings))
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    below = tuple((choice.dest, choice.help or "") for group in groups for choice in group._choices_actions)
    yield Place(words, below, options)
    for group in groups:
        for name, child in group.choices.items():
            yield from walk(child, (*words, name))


_BASH = """\
# bash completion of fa
_fa() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} path= word i words= names=
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${{COMP_WORDS[i]}}
        case "$path $word" in
            {paths}) path="$path $word" ;;
        esac
    done
    case "$path" in
{cases}
    esac
    if [[ $cur != -* && -n $names ]]; then
        words="$words $($names 2>/dev/null)"
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}}
complete -o default -F _fa fa"""

_ZSH = """\
#compdef fa
# zsh completion of fa
_fa() {{
    local at= word i names=
    local -a words_here
    for ((i = 2; i < CURRENT; i++)); do
        word=${{words[i]}}
        case "$at $word" in
            {paths}) path="$at $word" ;;
        esac
    done
    case "$at" in
{cases}
    esac
    if [[ ${{words[CURRENT]}} != -* && -n $names ]]; then
        words_here+=(${{(f)"$(eval $names 2>/dev/null)"}})
    fi
    compadd -a words_here || _files
}}
if [[ $funcstack[1] == _fa ]]; then _fa "$@"; else compdef _fa fa; fi"""


def bash(places: list[Place]) -> str:
    def case(place: Place) -> str:
        words = " ".join([name for name, _ in place.below] + list(place.options))
        names = f" names='{place.names}'" if place.names else ""
        return f"        '{_path(place)}') words='{words}'{names} ;;"

    return _BASH.format(paths=_paths(places), cases="\n".join(map(case, places)))


def zsh(places: list[Place]) -> str:
    def case(place: Place) -> str:
        words = " ".join([name for name, _ in place.below] + list(place.options))
        names = f" names='{place.names}'" if place.names else ""
        return f"        '{_path(place)}') words_here=({words}){names} ;;"

    return _ZSH.format(paths=_paths(places), cases="\n".join(map(case, places)))


def _path(place: Place) -> str:
    return "".join(f" {word}" for word in place.words)


def _paths(places: list[Place]) -> str:
    """The patterns of the words that lead deeper."""
    return "|".join(f"'{_path(place)}'" for place in places if place.words)


def fish(places: list[Place]) -> str:
    """One line per command and option; a place is where its words were seen and none of those below it."""
    lines = ["# fish completion of fa"]
    for place in places:
        here = _fish_condition(place)
        for name, summary in place.below:
            lines.append(f"complete -c fa -f -n {here} -a {name} -d {_quoted(summary)}")
        for option in place.options:
            dashes = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
            lines.append(f"complete -c fa -n {here} {dashes}")
        if place.names:
            lines.append(f"complete -c fa -f -n {here} -a {_quoted(f'({place.names} 2>/dev/null)')}")
    return "\n".join(lines)


def _fish_condition(place: Place) -> str:
    seen = [f"__fish_seen_subcommand_from {word}" for word in place.words]
    below = " ".join(name for name, _ in place.below)
    return _quoted("; and ".join(seen + ([f"not __fish_seen_subcommand_from {below}"] if below else [])) or "true")


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
