"""``restore-vm``: write a VM's images, definition and firmware into a folder of this machine."""

import json
from argparse import Namespace

from include.cli import terminal
from include.cli.terminal import Commands
from include.restore.generation_choice import choose
from include.restore.vm_folder import FolderRestore
from include.vms.archive import VmArchive, folder_name
from include.vms.left_out import not_restored

_DESCRIPTION = """\
Write a VM's disk images, libvirt definition and firmware to a folder, and verify each image as read back
from there. Existing files are never overwritten. To restore the VM to its KVM host, trigger the DAG
vm_restore."""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "restore-vm", help="write a VM's images to a folder", description=_DESCRIPTION
    )
    parser.add_argument("vm", metavar="VM", help="the VM's name in the vault")
    parser.add_argument(
        "generation",
        nargs="?",
        metavar="GENERATION",
        help="such as 2026-11-22T05-00-03Z (default: newest undamaged)",
    )
    terminal.add_target(parser, "the folder for the files; created if it doesn't exist")
    parser.add_argument(
        "--format", choices=("raw", "qcow2"), help="format of all images (default: as on the host)"
    )
    terminal.add_json(parser)
    terminal.add_vault(parser)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Write the files, and print their paths."""
    vault, vm = terminal.vault(options), folder_name(options.vm)
    chosen = choose(vm, VmArchive(vault).of(vm), options.generation)
    terminal.print_error(f"{vm} {chosen.generation.name}. {chosen.reason}")
    restore = FolderRestore(
        vault, chosen.generation, options.to, options.format, terminal.run_name(), terminal.print_error
    )
    files = [str(path) for path in restore.run()]
    left_out = chosen.generation.record.left_out
    for warning in not_restored(left_out):
        terminal.print_error(warning)
    if options.json:
        result = {"vm": vm, "generation": chosen.generation.name, "files": files}
        terminal.print_line(json.dumps({**result, "left_out": [one.model_dump() for one in left_out]}))
    else:
        for file in files:
            terminal.print_line(file)
    return terminal.DONE
