"""``unprotect``: lift the protection of a generation of a VM."""

from argparse import Namespace

from include.cli import terminal
from include.cli.terminal import Commands
from include.vms.archive import VmArchive

_DESCRIPTION = """\
Lift the protection of a generation of a VM. The next good run of vm_weekly removes it if vms.keep of the site
file doesn't keep it."""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "unprotect", help="lift the protection of a generation", description=_DESCRIPTION
    )
    terminal.add_generation(parser)
    terminal.add_vault(parser)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Lift the protection."""
    lifted = VmArchive(terminal.vault(options)).lift_protection(options.vm, options.generation)
    terminal.print_line(f"{options.vm} {options.generation} is no longer {lifted.reason}.")
    return terminal.DONE
