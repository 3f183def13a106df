"""``verify``: read backups of the vault again, all or some, and report which are damaged."""

import json
import math
import time
from argparse import ArgumentTypeError, Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from include.cli import terminal
from include.cli.terminal import Commands
from include.errors import BackupError
from include.names import shown
from include.scrub.backups import Backup, in_vault
from include.scrub.priority import in_background
from include.scrub.scrubber import Scrubber, ScrubResult
from include.scrub.selection import select
from include.scrub.throttle import Throttle
from include.text import duration, size

_DESCRIPTION = """\
Read every byte of backups from the disk, at idle priority, and compare their SHA-256 checksums; with --quick,
compare only the names, kinds and sizes of their files. Without a NAME, all of the vault is checked. A NAME is
a day (2026-268 or 2026-09-25), one of its revisions (2026-268.r2), a VM (maq1), or one of its generations
(maq1/2026-11-22T05-00-03Z). The vault isn't changed, unless --record is given. The exit status is 1 if a
backup is damaged, and 2 if a backup can't be read or there is nothing to read."""
_UNRECORDED = (
    "The damage wasn't recorded. Run this again with --record{}, so that retention and scrubs heed it."
)
_RECORDED = "The damage is recorded. The page shows it after the next run, or after a run of vault_status."
_STATUS = {"passed": terminal.DONE, "failed": terminal.DAMAGED, "not checked": terminal.FAILED}
_PRINTED = {"passed": "intact", "failed": "DAMAGED", "not checked": "NOT CHECKED"}
_QUICK = _PRINTED | {"passed": "complete"}


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "verify", help="read backups again and compare their checksums", description=_DESCRIPTION
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="a day, a VM, or one version of either (default: all)"
    )
    terminal.add_vault(parser)
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--quick", action="store_true", help="check names, kinds and sizes of the files only, and read none"
    )
    parser.add_argument("--rate", type=_rate, metavar="MB", help="read at most this many MB per second")
    how.add_argument("--record", action="store_true", help="record the results in the vault, as a scrub does")
    terminal.add_json(parser)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Read the backups, and print each result as soon as it's there."""
    vault = terminal.vault(options)
    backups = select(in_vault(vault), options.names)
    if not backups:
        raise BackupError(f"{vault.root} has no backups. Nothing was verified. Is it the right vault?")
    throttle = Throttle(options.rate * 1e6 if options.rate else None)
    pace = None if options.quick else throttle.take
    scrubber = Scrubber(vault, terminal.run_name(), pace, options.record)
    if not options.json:
        terminal.print_vault(vault)
    began = time.monotonic()
    results = in_background(
        lambda: list(_checked(scrubber, backups, throttle, quiet=options.json)), throttle.stop
    )
    if options.json:
        found = [result.model_dump(mode="json") for result in results]
        terminal.print_line(json.dumps({"vault": str(vault.root), "backups": found}))
    else:
        terminal.print_line(_summary(results, time.monotonic() - began, quick=options.quick))
    return _status(results, options)


def _status(results: Sequence[ScrubResult], options: Namespace) -> int:
    found = {result.result for result in results}
    if "failed" in found:
        unrecorded = _UNRECORDED.format(" instead of --quick" if options.quick else "")
        terminal.print_error(_RECORDED if options.record else unrecorded)
    bad = [_STATUS[result] for result in ("failed", "not checked") if result in found]
    return bad[0] if bad else terminal.DONE


def _rate(text: str) -> float:
    with suppress(ValueError):
        if 0 < (rate := float(text)) < math.inf:
            return rate
    raise ArgumentTypeError(f"{text!r} isn't a number of MB above 0")


def _checked(
    scrubber: Scrubber, backups: Iterable[Backup], throttle: Throttle, *, quiet: bool
) -> Iterator[ScrubResult]:
    for backup in backups:
        throttle.take(0)  # ends here where it is stopped; a quick check takes nothing else
        if result := scrubber.read(backup):
            if not quiet:
                _print(result, _PRINTED if scrubber.pace else _QUICK)
            yield result


def _print(result: ScrubResult, words: Mapping[str, str]) -> None:
    terminal.print_line(f"{words[result.result]:8}  {result.name}  {result.how}")
    for warning in result.warnings:
        terminal.print_error(f"{result.name}: {warning}")


def _summary(results: Sequence[ScrubResult], seconds: float, *, quick: bool) -> str:
    read = size(sum(result.bytes for result in results))
    bad = [result.name for result in results if result.result == "failed"]
    unread = [result.name for result in results if result.result == "not checked"]
    done = "checked by names and sizes" if quick else f"read, {read}"
    sentences = [f"{len(results):,} {done} in {duration(seconds)}."]
    sentences += [f"Damaged: {', '.join(map(shown, bad))}."] if bad else []
    sentences += [f"Not checked: {', '.join(map(shown, unread))}."] if unread else []
    return " ".join(sentences)
