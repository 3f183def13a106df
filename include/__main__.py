"""The project from a terminal, without Airflow: ``python -m include --help``."""

import sys
from argparse import ArgumentParser

from include.cli import list_command, restore_day, restore_machine, terminal, verify_command
from include.errors import BackupError

COMMANDS = (list_command, verify_command, restore_day, restore_machine)


def main(arguments: list[str] | None = None) -> int:
    """Do what the arguments ask for, and give the exit status."""
    parser = ArgumentParser(prog="python -m include", description="Look after the vault, without Airflow.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        terminal.complain("Interrupted. Nothing half done has got its name: type it again to go on.")
        return terminal.INTERRUPTED
    except BrokenPipeError:
        terminal.nobody_listens()
        return terminal.NOBODY_LISTENS
    except (BackupError, OSError) as error:
        terminal.complain(str(error))
        return terminal.CANT


if __name__ == "__main__":
    sys.exit(main())
