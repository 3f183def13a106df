"""What every command shares: the vault that it's about, how it speaks, and how it ends."""

import os
import sys
from argparse import Action, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from include import site_file
from include.vault import Vault
from include.wording import visible

DONE = 0
"""Exit status: it's done, and nothing is wrong."""
WRONG = 1
"""Exit status: it's done, and something is wrong: damage was found, say."""
CANT = 2
"""Exit status: it couldn't be done, or wasn't understood, as argparse has it."""
INTERRUPTED = 130
"""Exit status: a person pressed Ctrl-C; as a shell has it."""
NOBODY_LISTENS = 141
"""Exit status: whoever read what was printed has ended, such as ``head``; as a shell has it."""


class Commands(Protocol):
    """Where commands are added: what ``ArgumentParser.add_subparsers`` gives."""

    def add_parser(self, name: str, *, help: str, description: str) -> ArgumentParser:  # noqa: A002 - argparse's
        """Give the parser of a new command."""


def add_vault(parser: ArgumentParser) -> Action:
    """Let a command be about another vault than the site file's."""
    return parser.add_argument(
        "--vault", type=folder, metavar="FOLDER", help="the vault (default: vault.path of the site file)"
    )


def folder(text: str) -> Path:
    """Read a folder's name; an empty one, as of a variable that isn't set, isn't this folder.

    Raises:
        ArgumentTypeError: it's empty.
    """
    if not text:
        raise ArgumentTypeError("it's empty. Name a folder.")
    return Path(text).absolute()


def vault(options: Namespace) -> Vault:
    """Open the vault that a command is about.

    Raises:
        VaultUnmarkedError: the folder is none.
        ConfigError: none was given, and the site file is wrong.
    """
    return Vault.open(options.vault or Path(site_file.current().vault.path))


def add_target(parser: ArgumentParser, what: str) -> Action:
    """Have a command asked where to."""
    return parser.add_argument("--to", type=folder, required=True, metavar="FOLDER", help=what)


def by_hand() -> str:
    """Give the name under which proofs tell of what was done now, by a person."""
    return f"by hand {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def say(line: str) -> None:
    """Print a line; what came from outside is made visible in it."""
    print(visible(line), flush=True)  # noqa: T201 - a command speaks to its terminal


def nobody_listens() -> None:
    """Have Python print nothing more where nobody reads it, not even at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(line: str) -> None:
    """Print a line beside the results."""
    print(visible(line), file=sys.stderr, flush=True)  # noqa: T201 - a command speaks to its terminal


def say_table(rows: Iterable[Sequence[str]]) -> None:
    """Print rows in columns as wide as they need; the last one may be as long as it likes."""
    lines = [[visible(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        say("  ".join(cells).rstrip())
