"""``list``: what the vault holds, and how it stands with it."""

import json
from argparse import Namespace
from datetime import UTC
from typing import Any

from include.audit.backups import Standing, in_vault, standings
from include.cli import terminal
from include.cli.terminal import Commands
from include.wording import size

_ABOUT = """\
Name all backups of the vault, when each was last proven, and what is known to be damaged. Only records are
read; the status is 1 where damage is known that no newer version makes good."""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("list", help="name the backups of the vault", description=_ABOUT)
    terminal.add_vault(parser)
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Print them; the status is 1 where damage is known that no newer version makes good."""
    found = standings(in_vault(terminal.vault(options)))
    if options.json:
        terminal.say(json.dumps([_facts(standing) for standing in found]))
    else:
        terminal.say_table([("backup", "size", "last proven (UTC)", ""), *map(_row, found)])
    if not found:
        terminal.complain("The vault holds no backup. Is it the right one?")
    lost = any(standing.damage and not standing.replaced_by for standing in found)
    return terminal.WRONG if lost else terminal.DONE


def _row(standing: Standing) -> tuple[str, ...]:
    proven = f"{standing.proven.astimezone(UTC):%Y-%m-%d %H:%M}" if standing.proven else "not known"
    return standing.backup.name, size(standing.bytes), proven, _told(standing)


def _told(standing: Standing) -> str:
    if not standing.damage:
        return "whole"
    by = f"; {standing.replaced_by} is newer and whole" if standing.replaced_by else ""
    return f"DAMAGED{by}. {standing.damage}"


def _facts(standing: Standing) -> dict[str, Any]:
    return {
        "name": standing.backup.name,
        "folder": str(standing.backup.folder),
        "bytes": standing.bytes,
        "proven": standing.proven.isoformat() if standing.proven else None,
        "damage": standing.damage,
        "replaced_by": standing.replaced_by,
    }
