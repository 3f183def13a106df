"""What the commands share: opening the vault, printing, and exit statuses."""

import os
import pwd
import sys
from argparse import Action, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from include.config import site_file
from include.errors import ConfigError
from include.text import visible
from include.vault.vault import Vault

DONE = 0
"""Exit status: success."""
DAMAGED = 1
"""Exit status: success, but a backup is damaged."""
FAILED = 2
"""Exit status: failure, or a usage error, for which argparse uses 2 as well."""
INTERRUPTED = 130
"""Exit status: interrupted by Ctrl-C; 128 + SIGINT, as shells report it."""
BROKEN_PIPE = 141
"""Exit status: the reader of the output ended, as ``head`` does; 128 + SIGPIPE, as shells report it."""


class Commands(Protocol):
    """What ``ArgumentParser.add_subparsers`` returns."""

    def add_parser(self, name: str, *, help: str, description: str) -> ArgumentParser:  # noqa: A002 - argparse's
        """Return the parser of a new command."""


def add_vault(parser: ArgumentParser) -> Action:
    """Add ``--vault``, which overrides the site file."""
    return parser.add_argument(
        "--vault",
        type=folder,
        metavar="FOLDER",
        help="the vault's folder (default: the vault of include/site.yaml)",
    )


def add_json(parser: ArgumentParser) -> Action:
    """Add ``--json``."""
    return parser.add_argument("--json", action="store_true", help="print the result as JSON")


def add_target(parser: ArgumentParser, what: str) -> Action:
    """Add ``--to``, the folder to restore to."""
    return parser.add_argument("--to", type=folder, required=True, metavar="FOLDER", help=what)


def add_generation(parser: ArgumentParser) -> None:
    """Add the arguments that name a generation of a VM."""
    parser.add_argument("vm", metavar="VM", help="the VM's name in the vault")
    parser.add_argument("generation", metavar="GENERATION", help="such as 2026-11-22T05-00-03Z")


def folder(text: str) -> Path:
    """Parse a folder's path, and make it absolute.

    An empty path is an error, and not the current folder: it usually comes from an unset shell variable.

    Raises:
        ArgumentTypeError: the path is empty.
    """
    if not text:
        raise ArgumentTypeError("the path is empty; name a folder")
    return Path(text).absolute()


def vault(options: Namespace) -> Vault:
    """Open the vault that the options name, or else the site file's.

    Raises:
        VaultUnmarkedError: the folder isn't a vault.
        ConfigError: the options name no vault, and the site file is invalid.
    """
    return Vault.open(options.vault or Path(site_file.current().vault.path))


def zone() -> ZoneInfo:
    """Return the institute's time zone; UTC where no site file names it, as where only the vault is left."""
    try:
        return site_file.current().institute.zone
    except ConfigError:
        return ZoneInfo("UTC")


def run_name() -> str:
    """Return the run's name for the verification log: a command that a person ran, and when."""
    return f"by hand {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def person() -> str:
    """Return the account of the person at the terminal, also if they became another by sudo."""
    try:
        return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in a container, for example
        return f"user {os.getuid()}"


def print_line(line: str) -> None:
    """Print a line to standard output, with control characters escaped."""
    print(visible(line), flush=True)  # noqa: T201 - a command prints


def stop_printing() -> None:
    """Discard further output, also what Python flushes at exit: its reader has ended."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_vault(vault: Vault) -> None:
    """Print which vault a command is about."""
    print_line(f"Vault: {vault.root}")


def print_error(line: str) -> None:
    """Print a line to standard error, with control characters escaped."""
    print(visible(line), file=sys.stderr, flush=True)  # noqa: T201 - a command prints


def print_table(rows: Iterable[Sequence[str]]) -> None:
    """Print rows with their columns aligned."""
    lines = [[visible(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print_line("  ".join(cells).rstrip())
