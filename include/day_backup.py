"""Securing one day: copied, proven, published. Each step can be killed, and done again.

Copying and proving leave what they found in the vault's staging; only publishing gives a final name.
"""

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from include import publication, source_agent, supim, transfer
from include.errors import (
    DayIncompleteError,
    DayMissingError,
    DayNotProvenError,
    DayUnusableError,
    NotSettledError,
    NotYetError,
)
from include.listing import Listing, differing, named
from include.ordinal_day import OrdinalDay
from include.record import Origin, Proof, Record
from include.source import Sighting, Source, State
from include.space import Room
from include.vault import PublishedDay, StagedDay, Vault


@dataclass(frozen=True)
class DayBackup:
    """One day on its way from the source into the vault.

    Args:
        vault: where to.
        source: where from.
        day: the day.
        run: the run that does it, for the record.
        reserve_bytes: room that the vault keeps free.
        recheck_s: seconds between two looks at a day that isn't complete.
        give_up_at: when waiting for the day ends.
        say: told how it goes, a line at a time.
    """

    vault: Vault
    source: Source
    day: OrdinalDay
    run: str
    reserve_bytes: int
    recheck_s: float
    give_up_at: datetime
    say: Callable[[str], None]

    def copy(self) -> Record | None:
        """Copy the day into staging; the source hashes it meanwhile.

        Returns:
            the published day's record where there is nothing to do, else None.

        Raises:
            NotYetError: the day isn't complete, or another run is at it.
            DayMissingError, DayIncompleteError: so it is, and waiting for it has ended.
            DayUnusableError: a person must mend something at the source.
            NotSettledError: it changed while it was copied.
            NoSpaceError: the room isn't there.
        """
        with self.vault.hold(self.day) as staged:
            return self._copy(staged)

    def prove(self) -> Record | None:
        """Hash the copy, hold it against what the source hashed, and check it as a SUPIM day.

        A copy that a try before found unsettled is made whole first.

        Returns:
            the published day's record where there is nothing to do, else None.

        Raises:
            NotSettledError: the copy differs; the next try copies again what differs.
            DayNotProvenError: the copy is what the source holds, and no complete SUPIM day.
        """
        with self.vault.hold(self.day) as staged:
            if not staged.source_listing.exists() and (safe := self._copy(staged)):
                return safe
            self._prove(staged)
            return None

    def publish(self) -> Record:
        """Give the proven copy its final name, read-only.

        Returns:
            the record of the day as it is published now.

        Raises:
            DayNotProvenError: there is no proven copy.
        """
        with self.vault.hold(self.day) as staged:
            if staged.data.exists() and staged.draft.exists():
                facts = json.loads(staged.draft.read_bytes())
                publication.publish(
                    self.vault, staged, Record.model_validate(facts["record"]), Listing.read(facts)
                )
            published = self._published()
            if staged.data.exists() or not published:
                raise DayNotProvenError(f"{self.day} has no proven copy in the vault. Clear its copy task.")
            staged.clear()
            publication.seal(published)
            return published.record

    def _copy(self, staged: StagedDay) -> Record | None:
        with transfer.connected(self.source.door.route) as ssh:  # it connects while we look
            seen = self._complete_at_source()
            published = self._published()
            if published and self._same(published, seen):
                staged.clear()
                return published.record
            if self._ready(staged, seen):
                self.say(f"{self.day}: copied and proven already, by another run or before.")
                return None
            staged.begin_copy()
            self._require_room(staged, seen)
            started = time.monotonic()
            hashed = self._pull(ssh, staged, seen)
            seconds = round(time.monotonic() - started, 3)
        write_json(staged.source_listing, {"folder": seen.folder, "seconds": seconds, **hashed.facts})
        self.say(f"{self.day}: {len(hashed.files):,} files, {hashed.bytes:,} bytes copied in {seconds} s.")
        return None

    def _complete_at_source(self) -> Sighting:
        seen = self.source.look([self.day])[self.day]
        state = seen.look.state
        if state is State.COMPLETE:
            return seen
        told = f"{self.day} can't be secured. {seen.look.reason}"
        if state is not State.UNUSABLE and datetime.now(UTC) < self.give_up_at:
            again = f"Looking again in {self.recheck_s:.0f} s, until {self.give_up_at:%Y-%m-%d %H:%M %Z}."
            raise NotYetError(f"{told} {again}", retry_in_s=self.recheck_s)
        raise _SOURCE_ERRORS[state](told)

    def _published(self) -> PublishedDay | None:
        return next(reversed(self.vault.revisions(self.day)), None)

    def _same(self, published: PublishedDay, seen: Sighting) -> bool:
        if published.fingerprint in ("", seen.look.fingerprint):
            return bool(published.fingerprint)  # what has lost its record is proven to nobody
        here = os.fsencode(published.folder)
        if Listing.read(source_agent.seen(here)).content != seen.listing.content:
            return False
        self.say(f"{self.day}: only times differ from the published copy; hashing both.")
        return Listing.read(source_agent.hashed(here)).content == self._hashed_at_source(seen).content

    def _ready(self, staged: StagedDay, seen: Sighting) -> bool:
        if not (staged.data.exists() and staged.draft.exists()):
            return False
        proven: str = json.loads(staged.draft.read_bytes())["record"]["fingerprint"]
        return proven == seen.look.fingerprint

    def _require_room(self, staged: StagedDay, seen: Sighting) -> None:
        there = Listing.read(source_agent.seen(os.fsencode(staged.data))) if staged.data.exists() else None
        need_bytes = seen.look.disk_bytes - (there.disk_bytes if there else 0)
        need_files = len(seen.listing.entries) - (len(there.entries) if there else 0)
        Room.of(self.vault.root).require(max(need_bytes, 0), max(need_files, 0), self.reserve_bytes)

    def _pull(self, ssh: Path, staged: StagedDay, seen: Sighting) -> Listing:
        with ThreadPoolExecutor(1) as beside:
            # While the wire is the limit, the source's CPU is free, and rsync has just read what it hashes.
            hashes = beside.submit(self._hashed_at_source, seen)
            try:
                transfer.pull(ssh, self.source.path(seen.folder), staged.data, self.say)
            except BaseException:
                self.source.close()  # nobody waits for the hashes any more
                raise
            hashed = hashes.result()
        self._require_settled(seen.listing, hashed)
        return hashed

    def _require_settled(self, before: Listing, after: Listing) -> None:
        if changed := differing(before.looks, after.looks):
            raise NotSettledError(
                f"{self.day} isn't settled: the source changed {named(changed)} during the copy. "
                "Nothing was published; another try copies what changed."
            )

    def _hashed_at_source(self, seen: Sighting) -> Listing:
        hashed = self.source.hashes(seen.folder)
        if hashed.unreadable:
            paths = named(path for path, _ in hashed.unreadable)
            raise DayUnusableError(f"{self.day}: the source's user can't read {paths}.")
        return hashed

    def _prove(self, staged: StagedDay) -> None:
        staged.draft.unlink(missing_ok=True)
        started = time.monotonic()
        facts = json.loads(staged.source_listing.read_bytes())
        source = Listing.read(facts)
        with ThreadPoolExecutor(1) as beside:
            look = beside.submit(self.source.look, [self.day])
            copy = Listing.read(source_agent.hashed(os.fsencode(staged.data)))
            now = look.result()[self.day].listing
        unhashed = [entry.path for entry in copy.files if entry.sha256 is None]
        if wrong := differing(source.content, copy.content) or unhashed:
            self._unsettle(staged, copy, wrong)
        if not now.looks.items() <= source.looks.items():
            # What has gone doesn't count: a day that the source is dropping is all the more worth keeping.
            staged.source_listing.unlink()
            self._require_settled(source, now)
        steps = self._steps(staged)
        how = f"SHA-256 of {len(copy.files):,} files equal at both ends"
        how += f"; {steps} descriptors hold" if steps is not None else "; descriptors not checked"
        proof = Proof(when=datetime.now(UTC), how=how, seconds=round(time.monotonic() - started, 3))
        record = self._record(staged, source, facts, steps, proof)
        write_json(staged.draft, {"record": record.model_dump(mode="json"), **copy.facts})
        self.say(f"{self.day}: {how}.")

    def _record(
        self, staged: StagedDay, source: Listing, facts: dict[str, Any], steps: int | None, proof: Proof
    ) -> Record:
        return Record(
            day=self.day,
            revision=self.vault.next_revision(self.day).revision,
            origin=Origin(connection=self.source.door.connection, folder=self.source.path(facts["folder"])),
            files=len(source.files),
            bytes=source.bytes,
            steps=steps,
            fingerprint=source.fingerprint,
            warnings=source.oddities,
            run=self.run,
            copied=datetime.fromtimestamp(staged.source_listing.stat().st_mtime, UTC),
            copy_seconds=facts["seconds"],
            proofs=[proof],
            structure=source.structure,
        )

    def _unsettle(self, staged: StagedDay, copy: Listing, wrong: list[str]) -> None:
        for path in wrong:
            if path in copy.by_path and copy.by_path[path].kind != "folder":
                (staged.data / path).unlink(missing_ok=True)
        staged.source_listing.unlink()
        raise NotSettledError(
            f"{self.day} isn't settled: {named(wrong)} arrived other than the source hashed it. "
            "Nothing was published; another try copies it again."
        )

    def _steps(self, staged: StagedDay) -> int | None:
        if not self.source.check_descriptors:
            return None
        held = source_agent.seen(os.fsencode(staged.data))
        found = supim.completeness(
            self.day, Listing.read(held), held["descriptors"], self.source.steps_per_day
        )
        if found.problems:
            raise DayNotProvenError(f"{self.day} is no complete SUPIM day. {found.told}")
        return found.steps


_SOURCE_ERRORS = {
    State.MISSING: DayMissingError,
    State.INCOMPLETE: DayIncompleteError,
    State.UNUSABLE: DayUnusableError,
}


def write_json(path: Path, facts: dict[str, Any]) -> None:
    """Write a file so that it is there whole or not at all."""
    beside = path.with_suffix(".part")
    with beside.open("w", encoding="ascii") as file:
        json.dump(facts, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
