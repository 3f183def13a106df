"""The record beside a backup: what it is, where from, when, how it was proven."""

from datetime import datetime

from include.facts import Day, Facts


class Origin(Facts):
    """Where a day came from."""

    connection: str
    folder: str


class Proof(Facts):
    """One time at which every byte was checked.

    Args:
        when: the instant, with its zone.
        how: a sentence.
        seconds: what it took.
    """

    when: datetime
    how: str
    seconds: float


class Record(Facts):
    """What is known of one published revision of a day.

    Args:
        day: such as ``2026-268``.
        revision: 1, or more for a later version.
        origin: the source.
        files: number of regular files.
        bytes: what they hold.
        steps: complete time steps, None where descriptors aren't checked.
        fingerprint: ``Listing.fingerprint`` of the source as it was copied.
        warnings: what a person should know of it.
        run: the Airflow run that made it.
        copied: when the copy was whole.
        copy_seconds: what the copy took.
        proofs: when and how it was proven, first to last.
        structure: ``Listing.structure`` of the copy; empty in records that are older than this fact.
    """

    day: Day
    revision: int
    origin: Origin
    files: int
    bytes: int
    steps: int | None
    fingerprint: str
    warnings: list[str]
    run: str
    copied: datetime
    copy_seconds: float
    proofs: list[Proof]
    structure: str = ""
