"""``verify``: reads backups of the vault again, all of them or some, and says what is damaged."""

import json
import math
import re
import time
from argparse import ArgumentTypeError, Namespace
from collections.abc import Iterable, Sequence
from contextlib import suppress

from include.audit.backups import Backup, in_vault
from include.audit.priority import in_background
from include.audit.reading import Reader, Reading
from include.audit.throttle import Throttle
from include.cli import terminal
from include.cli.terminal import Commands
from include.errors import BackupError
from include.listing import named
from include.names import shown
from include.wording import duration, size

_ABOUT = """\
Read backups from the disk, every byte, at the lowest priority, and hold each against what was published: all
of the vault, or those that are named: 2026-268 (a day), 2026-268.r2 (one of its revisions), maq1 (a machine),
or maq1 2026-11-22T05-00-03Z (one of its images). The status is 1 where something is damaged, and 2 where
something can't be read, or there is nothing to read. The vault isn't changed, unless --record adds what was
found to the proofs."""
_UNRECORDED = (
    "Nothing was recorded. For retention and audits to know of the damage, type it again with --record."
)
_INSTANT = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}Z")
_STATUS = {"passed": terminal.DONE, "failed": terminal.WRONG, "not checked": terminal.CANT}
_TOLD = {"passed": "whole", "failed": "DAMAGED", "not checked": "NOT CHECKED"}


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("verify", help="read backups again: are they whole?", description=_ABOUT)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a day, a machine, or one version of either")
    terminal.add_vault(parser)
    parser.add_argument("--rate", type=_rate, metavar="MB", help="read at most so many MB a second")
    parser.add_argument("--record", action="store_true", help="add what was found to the backups' proofs")
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Read them and print what was found, as soon as it is."""
    vault = terminal.vault(options)
    backups = chosen(in_vault(vault), options.names)
    if not backups:
        raise BackupError(f"{vault.root} holds no backup: there is nothing to read. Is it the right vault?")
    throttle = Throttle(options.rate * 1e6 if options.rate else None)
    reader = Reader(vault, terminal.by_hand(), throttle.take, options.record)
    began = time.monotonic()
    readings = in_background(lambda: _read(reader, backups, quiet=options.json), throttle.stop)
    if options.json:
        terminal.say(json.dumps([one.model_dump(mode="json") for one in readings]))
    else:
        terminal.say(_summed_up(readings, time.monotonic() - began))
    results = {one.result for one in readings}
    if "failed" in results and not options.record:
        terminal.complain(_UNRECORDED)
    bad = [_STATUS[result] for result in ("failed", "not checked") if result in results]
    return bad[0] if bad else terminal.DONE


def _rate(text: str) -> float:
    with suppress(ValueError):
        if 0 < (rate := float(text)) < math.inf:
            return rate
    raise ArgumentTypeError(f"{text!r} is no number of MB above 0.")


def chosen(backups: Sequence[Backup], words: Sequence[str]) -> list[Backup]:
    """Give the backups that some words name, in their order; all of them without any word.

    Raises:
        BackupError: the vault holds none of that name.
    """
    names = list[str]()
    for word in words:
        if names and _INSTANT.fullmatch(word) and not _INSTANT.fullmatch(names[-1].rpartition(" ")[2]):
            names[-1] += f" {word}"
        else:
            names.append(word)
    found = {name: [one for one in backups if name in (one.name, one.of)] for name in names}
    if unknown := [name for name, these in found.items() if not these]:
        raise BackupError(f"The vault holds no {named(unknown)}. See: python -m include list")
    wanted = {one for these in found.values() for one in these}
    return [one for one in backups if one in wanted or not names]


def _read(reader: Reader, backups: Iterable[Backup], *, quiet: bool) -> list[Reading]:
    readings = []
    for backup in backups:
        if reading := reader.read(backup):
            readings.append(reading)
            if not quiet:
                _say(reading)
    return readings


def _say(reading: Reading) -> None:
    terminal.say(f"{_TOLD[reading.result]:8}  {reading.name}  {reading.how}")
    for warning in reading.warnings:
        terminal.complain(f"{reading.name}: {warning}")


def _summed_up(readings: Sequence[Reading], seconds: float) -> str:
    read = size(sum(one.bytes for one in readings))
    bad = [one.name for one in readings if one.result == "failed"]
    unread = [one.name for one in readings if one.result == "not checked"]
    told = [f"{len(readings):,} read, {read} in {duration(seconds)}."]
    told += [f"Damaged: {', '.join(map(shown, bad))}."] if bad else []
    told += [f"Not checked: {', '.join(map(shown, unread))}."] if unread else []
    return " ".join(told)
