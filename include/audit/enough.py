"""Whether an audit may read fast enough: a pure function that says what is needed, and what to change."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from include.audit.backups import Standing
from include.audit.due import LONGEST_RUN
from include.audit.section import AuditSection
from include.wording import counted, size

_MB = 1e6


def too_slow(standings: Iterable[Standing], now: datetime, section: AuditSection) -> str:
    """Say that ``audit.rate_mb_s`` lets proofs grow too old, and what would do; empty where it's enough.

    Args:
        standings: all there are; what isn't read any more doesn't count.
        now: the time of the run.
        section: how old a proof may grow, and how fast is read.
    """
    read = [one for one in standings if not one.replaced_by or one.untold]
    needed = _needed_bytes_s(read, now, section.proof_age) / _MB
    if section.rate_mb_s is None or needed <= section.rate_mb_s:
        return ""
    held = sum(one.bytes for one in read)
    takes = timedelta(seconds=held / _MB / section.rate_mb_s)
    return (
        f"The audit reads too slowly: the vault holds {size(held)}, which take {_days(takes)} at "
        f"audit.rate_mb_s {section.rate_mb_s:g}, and audit.proof_age_days is {section.proof_age_days}. For "
        f"no proof to grow older, {_up(needed):g} MB/s are needed. Write that or more as audit.rate_mb_s "
        "into include/site.yaml, or null for no limit, or let proofs grow older."
    )


def _needed_bytes_s(read: list[Standing], now: datetime, proof_age: timedelta) -> float:
    """Give the least rate by which each proof is renewed before it's too old, oldest first."""
    needed = sum(one.bytes for one in read) / proof_age.total_seconds()
    ahead = 0
    for one in sorted(read, key=lambda one: one.proven or now - proof_age):
        ahead += one.bytes
        left = (one.proven or now - proof_age) + proof_age - now
        if left >= LONGEST_RUN:  # less is left only where an audit fell out, and that's no matter of its rate
            needed = max(needed, ahead / left.total_seconds())
    return needed


def _days(takes: timedelta) -> str:
    return counted(max(round(takes / timedelta(days=1)), 1), "day")


def _up(needed_mb_s: float) -> float:
    """Round up to two digits or to whole MB, so that what is advised is enough."""
    step = 1.0 if needed_mb_s >= 10 else 0.1 if needed_mb_s >= 1 else 0.001  # noqa: PLR2004 - digits
    return round((needed_mb_s // step + 1) * step, 3)
