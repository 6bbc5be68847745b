"""argparse with suggestions for misspelled words, and usage in one line."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from proxy.config.spelling import did_you_mean, not_among, with_full_stop

# argparse's words; it has no exception of its own for these.
_WITHOUT_VALUE = re.compile(r"(--[a-z-]+): expected one argument")
_NO_CHOICE = re.compile(r"(--[a-z-]+): invalid choice: '?(.*?)'? \(choose from .*", re.DOTALL)


class Parser(argparse.ArgumentParser):
    """The options of one command, which may have subcommands.

    Options cannot be abbreviated: a later version might make an abbreviation ambiguous.
    """

    def __init__(self, **kwargs: Any) -> None:
        own: dict[str, Any] = {"usage": "%(prog)s [OPTION …]", "allow_abbrev": False}
        super().__init__(**own | kwargs)
        self._below: dict[str, Parser] = {}

    def commands(self, destination: str, metavar: str) -> Any:
        """Add subcommands; returns the result of ``add_subparsers``."""
        self.usage = f"%(prog)s {metavar} [OPTION …]"
        made = self.add_subparsers(
            dest=destination, required=True, metavar=metavar, prog=self.prog, title="commands"
        )
        self._below = made.choices
        return made

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse the command line; exits with 2, a sentence and a usage line if it is invalid."""
        parser, rest = self, list(words)
        while parser._below and rest[:1] not in (["-h"], ["--help"], ["--version"]):
            parser._expect_command(rest)
            parser = parser._below[rest.pop(0)]
        parsed, unknown = self.parse_known_args(words)
        if unknown:
            parser.error(parser._about(unknown, self))
        return parsed

    def error(self, message: str) -> NoReturn:
        """Print a sentence in labgate's style and the usage, and exit with 2."""
        message = message.removeprefix("argument ")
        if lack := _WITHOUT_VALUE.fullmatch(message):
            option = lack[1]
            message = f"{option} needs a value: {option} {self._metavar_of(option)}"
        if wrong := _NO_CHOICE.fullmatch(message):
            option, written = wrong.groups()
            known = [str(one) for one in self._option_string_actions[option].choices or ()]
            message = f"{option}: {not_among(written, known)}"
        usage = self.format_usage().rstrip()
        self.exit(
            2,
            f"labgate: {with_full_stop(message)}\n{usage}   ({self.prog} --help lists them)\n",
        )

    def _expect_command(self, words: list[str]) -> None:
        known = list(self._below)
        if not words:
            self.error(f"a command is missing: {', '.join(known)}")
        word = words[0]
        if word.startswith("-"):
            self.error(f"{word} comes before any command; write {self.prog} COMMAND {word} …")
        if word not in known:
            near = did_you_mean(word, known) or f" (known: {', '.join(known)})"
            self.error(f"there is no command {word}{near}")

    def _about(self, unknown: list[str], top: Parser) -> str:
        """Describe words that belong to no option of this command."""
        options = [word.partition("=")[0] for word in unknown if word.startswith("-")]
        sentences = []
        for option in options:
            elsewhere = [below.prog for below in top._all() if option in below._options]
            if elsewhere:
                sentences.append(f"{option} is an option of `{elsewhere[0]}`, not of `{self.prog}`")
            else:
                near = did_you_mean(option.lstrip("-"), [known[2:] for known in self._options])
                sentences.append(f"unknown option {option}{near.replace('mean ', 'mean --')}")
        if not options:
            sentences.append(f"{unknown[0]!r} belongs to no option")
        return "\nlabgate: ".join(with_full_stop(sentence) for sentence in sentences)

    def _metavar_of(self, option: str) -> str:
        action = self._option_string_actions[option]
        return str(action.metavar or action.dest.upper())

    @property
    def _options(self) -> list[str]:
        return [option for option in self._option_string_actions if option.startswith("--")]

    def _all(self) -> list[Parser]:
        """The subcommands at any depth that have no subcommands."""
        if not self._below:
            return [self]
        return [leaf for below in self._below.values() for leaf in below._all()]


class Key(argparse.Action):
    """Stores an option under its section and key, if it was given.

    In the namespace ``flags`` has the values by section and key, and ``typed`` the option as it
    was written, by ``section.key``.

    Args:
        key: ``section.key``.
        repeat: The option may be repeated; the key is a list.
        value: The value of an option that takes no argument.
        choices: The only valid values.
    """

    def __init__(
        self,
        key: str,
        repeat: bool = False,
        value: Any = None,
        choices: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        self._section, self._name = key.split(".")
        self._repeat, self._value, self._known = repeat, value, choices
        if choices:
            kwargs.setdefault("metavar", "{" + ",".join(choices) + "}")
        super().__init__(nargs=0 if value is not None else None, **kwargs)

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if self._known and values not in self._known:
            raise argparse.ArgumentError(self, not_among(values, self._known))
        section = namespace.flags.setdefault(self._section, {})
        if self._value is not None:
            section[self._name] = self._value
        elif self._repeat:
            section.setdefault(self._name, []).append(values)
        else:
            section[self._name] = values
        namespace.typed[f"{self._section}.{self._name}"] = option_string


def add_command(commands: Any, name: str, short: str, text: str) -> Parser:
    """Add a command that reads the configuration.

    Args:
        commands: The result of ``Parser.commands``.
        name: Its name.
        short: What it does, in the list of commands.
        text: What it does, above its options.
    """
    command: Parser = commands.add_parser(
        name, help=short, description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.set_defaults(flags={}, typed={})
    command.add_argument(
        "--config", type=Path, metavar="FILE", help="TOML file (default /etc/labgate/labgate.toml)"
    )
    return command
