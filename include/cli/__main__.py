"""Parse the command line, run the command, and turn errors into messages and exit statuses."""

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter

from include.cli import (
    init_command,
    list_command,
    protect_command,
    restore_day_command,
    restore_vm_command,
    terminal,
    unprotect_command,
    verify_command,
)
from include.errors import BackupError

COMMANDS = (
    init_command,
    list_command,
    verify_command,
    restore_day_command,
    restore_vm_command,
    protect_command,
    unprotect_command,
)

_DESCRIPTION = "Inspect the vault, restore from it, and protect backups, without Airflow."
_EXIT_STATUS = f"""\
exit status:
  {terminal.DONE}    success
  {terminal.DAMAGED}    success, but a backup is damaged
  {terminal.FAILED}    failure; the message on standard error says why
  {terminal.INTERRUPTED}  interrupted by Ctrl-C

'inpe-backup COMMAND --help' explains a command."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command, and return the exit status."""
    parser = ArgumentParser(
        prog="inpe-backup",
        description=_DESCRIPTION,
        epilog=_EXIT_STATUS,
        formatter_class=RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        terminal.print_error("Interrupted. Run the same command again to resume.")
        return terminal.INTERRUPTED
    except BrokenPipeError:
        terminal.stop_printing()
        return terminal.BROKEN_PIPE
    except (BackupError, OSError) as error:
        terminal.print_error(str(error))
        return terminal.FAILED


if __name__ == "__main__":
    sys.exit(main())
