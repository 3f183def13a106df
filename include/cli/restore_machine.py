"""``restore-machine``: a machine's images, definition and firmware brought into a folder of this computer."""

from argparse import Namespace

from include.cli import terminal
from include.cli.terminal import Commands
from include.machines.generation import Generations, folder_name
from include.restore.machine_choice import choose
from include.restore.machine_folder import FolderRestore

_ABOUT = """\
Write a machine's images, definition and firmware into a folder, and prove each image as read back from there.
Nothing is written over. To bring a machine back to its KVM host, trigger the DAG restore_machine."""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "restore-machine", help="bring a machine's images into a folder", description=_ABOUT
    )
    parser.add_argument("machine", metavar="MACHINE", help="its name in the vault")
    parser.add_argument(
        "generation",
        nargs="?",
        metavar="GENERATION",
        help="such as 2026-11-22T05-00-03Z (default: newest good)",
    )
    terminal.add_target(parser, "the folder for the files; made if it isn't there")
    parser.add_argument(
        "--format", choices=("raw", "qcow2"), help="the format of all images (default: as at their host)"
    )
    terminal.add_vault(parser)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Write the files, and name them."""
    vault, machine = terminal.vault(options), folder_name(options.machine)
    chosen = choose(machine, Generations(vault).of(machine), options.generation)
    terminal.complain(f"{machine} {chosen.generation.name}. {chosen.reason}")
    restore = FolderRestore(
        vault, chosen.generation, options.to, options.format, terminal.by_hand(), terminal.complain
    )
    for path in restore.run():
        terminal.say(str(path))
    return terminal.DONE
