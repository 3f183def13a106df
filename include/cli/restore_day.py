"""``restore-day``: a day of the vault brought back into a folder of this machine."""

from argparse import Namespace

from include import site_file
from include.cli import terminal
from include.cli.terminal import Commands
from include.restore.day import DayRestore
from include.restore.local_door import LocalDoor
from include.restore.request import RestoreRequest
from include.restore.target import Target
from include.restore.wanted import EVERYTHING

_ABOUT = """\
Bring a day back into a folder, below its year: proven in the vault, sent, and proven there. A file that is
there and differs is never written over, unless that is asked for. The status is 2 if nothing was restored."""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("restore-day", help="bring a day back into a folder", description=_ABOUT)
    parser.add_argument("day", metavar="DAY", help="such as 2026-268")
    terminal.add_target(parser, "the folder for the years")
    parser.add_argument("--revision", type=int, metavar="N", help="(default: the newest that isn't damaged)")
    parser.add_argument("--pattern", default=EVERYTHING, metavar="P", help="only such files, as '*.ctl*'")
    parser.add_argument("--overwrite", action="store_true", help="replace other files of the same names")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done; write nothing")
    terminal.add_vault(parser)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Restore it, and say what was done."""
    asked = RestoreRequest.read(
        {
            "day": options.day,
            "folder": str(options.to),
            "revision": options.revision,
            "pattern": options.pattern,
            "overwrite": options.overwrite,
            "dry_run": options.dry_run,
        }
    )
    site = site_file.current()
    item = DayRestore(
        vault=terminal.vault(options),
        target=Target(LocalDoor(), asked.folder, site.supim.source.pattern),
        asked=asked,
        day=asked.day,
        reserve_bytes=site.vault.reserve,
        run=terminal.by_hand(),
        say=terminal.complain,
    ).restore()
    for warning in item.warnings:
        terminal.complain(warning)
    terminal.say(f"{item.name} {item.outcome}. {item.reason} {item.proof or ''}".strip())
    return terminal.DONE
