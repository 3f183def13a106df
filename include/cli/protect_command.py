"""``protect``: keep a generation of a VM from removal."""

from argparse import Namespace

from include.cli import terminal
from include.cli.terminal import Commands
from include.vms.archive import VmArchive

_DESCRIPTION = """\
Protect a generation of a VM from removal, whatever vms.keep of the site file is, until you lift that with
'inpe-backup unprotect'. 'inpe-backup list' shows who protects it and why."""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "protect", help="keep a generation of a VM from removal", description=_DESCRIPTION
    )
    terminal.add_generation(parser)
    parser.add_argument(
        "--reason", required=True, metavar="TEXT", help="why, such as 'before the patch of 12 November'"
    )
    terminal.add_vault(parser)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Protect the generation."""
    protection = VmArchive(terminal.vault(options)).protect(
        options.vm, options.generation, who=terminal.person(), why=options.reason
    )
    terminal.print_line(f"{options.vm} {options.generation} is {protection.reason}.")
    return terminal.DONE
