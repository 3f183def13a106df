"""``list``: list the backups of the vault with their size, last verification and damage."""

import json
from argparse import Namespace
from datetime import tzinfo
from typing import Any

from include.cli import terminal
from include.cli.terminal import Commands
from include.days.record import RevisionCause
from include.scrub.backups import BackupStatus, in_vault, statuses
from include.text import size

_DESCRIPTION = """\
List all backups of the vault, when each was last verified, which are known to be damaged, and which images
somebody protects from removal. This reads records only; 'inpe-backup verify' reads the data. The exit status
is 1 if a backup is damaged and no newer version replaces it."""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("list", help="list the backups of the vault", description=_DESCRIPTION)
    terminal.add_vault(parser)
    terminal.add_json(parser)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Print the backups; the status is DAMAGED if one is damaged and no newer version replaces it."""
    vault = terminal.vault(options)
    found = statuses(in_vault(vault))
    if options.json:
        backups = [_as_json(status) for status in found]
        terminal.print_line(json.dumps({"vault": str(vault.root), "backups": backups}))
    else:
        terminal.print_vault(vault)
        zone = terminal.zone()
        head = ("backup", "size", f"last verified ({zone})", "status")
        terminal.print_table([head, *(_row(status, zone) for status in found)])
    if not found:
        terminal.print_error("The vault has no backups. Is it the right vault?")
    lost = any(status.damage and not status.replaced_by for status in found)
    return terminal.DAMAGED if lost else terminal.DONE


def _row(status: BackupStatus, zone: tzinfo) -> tuple[str, ...]:
    verified = f"{status.verified.astimezone(zone):%Y-%m-%d %H:%M}" if status.verified else "unknown"
    return status.backup.name, size(status.bytes), verified, _description(status)


def _description(status: BackupStatus) -> str:
    protection = status.backup.protection
    return f"{_condition(status)}{f'; {protection.reason}' if protection else ''}"


def _condition(status: BackupStatus) -> str:
    if status.unchecked:
        return f"NOT CHECKED. {status.unchecked}"
    cause = f"; {status.cause}" if status.cause and status.cause is not RevisionCause.FIRST else ""
    if not status.damage:
        ahead = ", but dated in the future: a clock was wrong" if status.backup.is_ahead else ""
        return f"intact{ahead}{cause}"
    replaced = f"; replaced by {status.replaced_by}, which is intact" if status.replaced_by else ""
    return f"DAMAGED{replaced}. {status.damage}"


def _as_json(status: BackupStatus) -> dict[str, Any]:
    protection = status.backup.protection
    return {
        "name": status.backup.name,
        "folder": str(status.backup.folder),
        "bytes": status.bytes,
        "verified": status.verified.isoformat() if status.verified else None,
        "damage": status.damage,
        "unchecked": status.unchecked or None,
        "replaced_by": status.replaced_by,
        "cause": status.cause,
        "protection": protection.model_dump(mode="json") if protection else None,
    }
