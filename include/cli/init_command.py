"""``init``: make a folder a vault."""

from argparse import Namespace

from include.cli import terminal
from include.cli.terminal import Commands
from include.vault import file_system
from include.vault.vault import Vault

_DESCRIPTION = """\
Make an empty folder a vault by writing a marker into it. The folder is created if it doesn't exist. Do this
once per vault: every task refuses a folder without the marker, so that nothing is written to an empty mount
point. What the folder's file system can't do, and what follows from it, is printed."""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("init", help="make an empty folder a vault", description=_DESCRIPTION)
    parser.add_argument("folder", type=terminal.folder, metavar="FOLDER", help="such as /backup/vault")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Create the vault."""
    Vault.create(options.folder)
    terminal.print_line(f"Created the vault {options.folder}.")
    for sentence in file_system.limits(options.folder):
        terminal.print_line(sentence)
    return terminal.DONE
