"""``restore-day``: restore a day into a folder of this machine."""

from argparse import Namespace

from include.cli import terminal
from include.cli.terminal import Commands
from include.config import site_file
from include.remote.local import LocalTransport
from include.restore.day import DayRestore
from include.restore.day_request import DayRestoreRequest
from include.restore.selection import EVERYTHING
from include.restore.target import RestoreTarget

_DESCRIPTION = """\
Restore a day to FOLDER/YEAR/DDD. The files are verified in the vault, sent, and verified again in the
folder before they get their names. A file that is there and differs stops the restore, unless --overwrite
is given. The exit status is 2 if nothing was restored. To restore to another host, or several days, trigger
the DAG supim_restore."""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("restore-day", help="restore a day to a folder", description=_DESCRIPTION)
    parser.add_argument("day", metavar="DAY", help="such as 2026-268 or 2026-09-25")
    terminal.add_target(parser, "the folder that contains the years")
    parser.add_argument(
        "--revision", type=int, metavar="N", help="restore this revision (default: newest undamaged)"
    )
    parser.add_argument(
        "--pattern", default=EVERYTHING, metavar="GLOB", help="restore only matching files, such as '*.ctl*'"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that differ from the backup")
    parser.add_argument("--dry-run", action="store_true", help="print what would be restored; write nothing")
    terminal.add_json(parser)
    terminal.add_vault(parser)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Restore the day, and print the result."""
    request = DayRestoreRequest.read(
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
        target=RestoreTarget(LocalTransport(), request.folder, site.supim.source.pattern),
        request=request,
        day=request.day,
        reserve_bytes=site.vault.reserve,
        run=terminal.run_name(),
        log=terminal.print_error,
    ).restore()
    for warning in item.warnings:
        terminal.print_error(warning)
    text = f"{item.name} {item.outcome}. {item.reason} {item.verification or ''}".strip()
    terminal.print_line(item.model_dump_json() if options.json else text)
    return terminal.DONE
