"""``verify``: read backups of the vault again, all or some, and report which are damaged."""

import json
import math
import re
import time
from argparse import ArgumentTypeError, Namespace
from collections.abc import Iterable, Sequence
from contextlib import suppress

from include.cli import terminal
from include.cli.terminal import Commands
from include.errors import BackupError
from include.names import named, shown
from include.scrub.backups import Backup, in_vault
from include.scrub.priority import in_background
from include.scrub.scrubber import Scrubber, ScrubResult
from include.scrub.throttle import Throttle
from include.text import duration, size

_DESCRIPTION = """\
Read every byte of backups from the disk, at idle priority, and compare their SHA-256 checksums. Without a
NAME, all of the vault is read. A NAME is a day (2026-268), one of its revisions (2026-268.r2), a VM (maq1),
or one of its generations (maq1 2026-11-22T05-00-03Z). The vault isn't changed, unless --record is given.
The exit status is 1 if a backup is damaged, and 2 if a backup can't be read or there is nothing to read."""
_UNRECORDED = (
    "The damage wasn't recorded. Run this again with --record, so that retention and scrubs heed it."
)
_INSTANT = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}Z")
_STATUS = {"passed": terminal.DONE, "failed": terminal.DAMAGED, "not checked": terminal.FAILED}
_PRINTED = {"passed": "intact", "failed": "DAMAGED", "not checked": "NOT CHECKED"}


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "verify", help="read backups again and compare their checksums", description=_DESCRIPTION
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="a day, a VM, or one version of either (default: all)"
    )
    terminal.add_vault(parser)
    parser.add_argument("--rate", type=_rate, metavar="MB", help="read at most this many MB per second")
    parser.add_argument(
        "--record", action="store_true", help="record the results in the vault, as a scrub does"
    )
    terminal.add_json(parser)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Read the backups, and print each result as soon as it's there."""
    vault = terminal.vault(options)
    backups = select(in_vault(vault), options.names)
    if not backups:
        raise BackupError(f"{vault.root} has no backups. Nothing was verified. Is it the right vault?")
    throttle = Throttle(options.rate * 1e6 if options.rate else None)
    scrubber = Scrubber(vault, terminal.run_name(), throttle.take, options.record)
    began = time.monotonic()
    results = in_background(lambda: _read(scrubber, backups, quiet=options.json), throttle.stop)
    if options.json:
        terminal.print_line(json.dumps([result.model_dump(mode="json") for result in results]))
    else:
        terminal.print_line(_summary(results, time.monotonic() - began))
    found = {result.result for result in results}
    if "failed" in found and not options.record:
        terminal.print_error(_UNRECORDED)
    bad = [_STATUS[result] for result in ("failed", "not checked") if result in found]
    return bad[0] if bad else terminal.DONE


def _rate(text: str) -> float:
    with suppress(ValueError):
        if 0 < (rate := float(text)) < math.inf:
            return rate
    raise ArgumentTypeError(f"{text!r} isn't a number of MB above 0")


def select(backups: Sequence[Backup], arguments: Sequence[str]) -> list[Backup]:
    """Return the backups that the arguments name, in the order of ``backups``; all of them without arguments.

    Raises:
        BackupError: the vault has no backup of that name.
    """
    names = list[str]()
    for argument in arguments:
        if names and _INSTANT.fullmatch(argument) and not _INSTANT.fullmatch(names[-1].rpartition(" ")[2]):
            names[-1] += f" {argument}"
        else:
            names.append(argument)
    found = {name: [one for one in backups if name in (one.name, one.of)] for name in names}
    if unknown := [name for name, matches in found.items() if not matches]:
        raise BackupError(f"The vault has no backup {named(unknown)}. To list all: inpe-backup list")
    selected = {backup for matches in found.values() for backup in matches}
    return [backup for backup in backups if backup in selected or not names]


def _read(scrubber: Scrubber, backups: Iterable[Backup], *, quiet: bool) -> list[ScrubResult]:
    results = []
    for backup in backups:
        if result := scrubber.read(backup):
            results.append(result)
            if not quiet:
                _print(result)
    return results


def _print(result: ScrubResult) -> None:
    terminal.print_line(f"{_PRINTED[result.result]:8}  {result.name}  {result.how}")
    for warning in result.warnings:
        terminal.print_error(f"{result.name}: {warning}")


def _summary(results: Sequence[ScrubResult], seconds: float) -> str:
    read = size(sum(result.bytes for result in results))
    bad = [result.name for result in results if result.result == "failed"]
    unread = [result.name for result in results if result.result == "not checked"]
    sentences = [f"{len(results):,} read, {read} in {duration(seconds)}."]
    sentences += [f"Damaged: {', '.join(map(shown, bad))}."] if bad else []
    sentences += [f"Not checked: {', '.join(map(shown, unread))}."] if unread else []
    return " ".join(sentences)
