"""One boot test: boot a VM from a generation's images on its host, and keep the result beside them.

    2026-11-22T05-00-03Z.verifications    gets two lines: that of a scrub, and that of the boot test
    2026-11-22T05-00-03Z.png              the screenshot at the end of the last boot test

After booting, the whole generation is scrubbed, since booting must not have changed it.
"""

import base64
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, NonNegativeFloat

from include.agent.durable_files import write_whole
from include.boot_test import nbd_server
from include.boot_test.screenshot import as_png
from include.config.boot_test import BootTestSettings
from include.errors import ConfigError, HostError, SourceRefusedError, VaultError, VmNotPossibleError
from include.models import Model
from include.results.item import Item
from include.results.states import Outcome, State
from include.scrub.backups import Backup
from include.scrub.scrubber import Scrubber, ScrubResult
from include.vault.clock import trusted_first
from include.vault.verification_log import LogEntry
from include.vms.archive import PublishedVm, VmArchive
from include.vms.host import Host
from include.vms.progress import Progress

_DEFINITION, _NVRAM = "domain.xml", "nvram.fd"
_SHOWN = 5  # boot tests in the trend


def _decoded(text: object) -> object:
    return base64.b64decode(text, validate=True) if isinstance(text, str) else text


class BootReport(Model):
    """The host's report of a boot test.

    Args:
        booted: whether all requested checks passed.
        how: which checks passed, or what was missing, as sentences.
        seconds: the duration from the beginning of the boot test until then.
        picture: the screenshot, as PPM or PNG.
    """

    booted: bool
    how: str
    seconds: NonNegativeFloat
    picture: Annotated[bytes | None, BeforeValidator(_decoded)]


@dataclass(frozen=True)
class BootTest:
    """A boot test of one generation.

    Args:
        generations: the vault's VMs.
        generation: the generation to boot.
        settings: the VM's settings from the site file.
        host: returns a host by the id of its Airflow connection.
        run: the id of the run.
        log: called with each line of the log.
    """

    generations: VmArchive
    generation: PublishedVm
    settings: BootTestSettings
    host: Callable[[str], Host]
    run: str
    log: Callable[[str], None]

    def do(self) -> Item:
        """Boot the VM, verify that its images didn't change, and keep the result.

        Raises:
            RescheduleError: another task works on the VM or its host.
            TransientError: the host can't be reached.
            VaultError: the result can't be written.
        """
        before = self._passed_before()
        with self.generations.lock(self.generation.vm):
            picture, entry = self._test()
            if picture:
                self._keep(picture)
            self.generation.verification_log.append(entry)
        return self._item(entry, before, pictured=bool(picture))

    @property
    def picture(self) -> Path:
        """The file of its screenshot."""
        return picture_of(self.generation)

    def _test(self) -> tuple[bytes | None, LogEntry]:
        began = time.monotonic()
        try:
            report = self._boot()
        except (ConfigError, HostError, VmNotPossibleError, SourceRefusedError, VaultError) as error:
            return None, self._entry("not checked", str(error), time.monotonic() - began)
        scrub = self._scrub()
        how = f"{report.how} {_summary(scrub)}"
        result = "failed" if not report.booted or scrub.result == "failed" else scrub.result
        return report.picture, self._entry(result, how, report.seconds)

    def _boot(self) -> BootReport:
        host, record = self.host(self.generation.record.host), self.generation.record
        files = [name for name in (_NVRAM,) if name in record.files]
        checks = {**self.settings.checks.requested(), "timeout_s": self.settings.timeout_s}
        request = {
            "definition": self._read(_DEFINITION).decode("utf-8", "replace"),
            "files": {name: base64.b64encode(self._read(name)).decode() for name in files},
            "checks": checks,
            "memory_max_bytes": int(self.settings.memory_max),
            "scratch": host.scratch or host.state,
            "scratch_max_bytes": int(self.settings.scratch_max),
        }
        self.log(f"Booting {self.generation.vm} from its image {self.generation.name}.")
        return host.answer(BootReport, nbd_server.boot(host, self.generation, request))

    def _read(self, name: str) -> bytes:
        try:
            return self.generation.file(name).read_bytes()
        except OSError as error:
            raise VaultError(f"{self.generation.folder / name} can't be read: {error.strerror}.") from error

    def _scrub(self) -> ScrubResult:
        """Scrub the generation, and add the result to its verifications."""
        backup, done = Backup(self.generation), 0
        progress = Progress(
            f"Scrub of {self.generation.name}", max(self.generation.record.bytes, 1), self.log
        )

        def pace(read_bytes: int) -> None:
            nonlocal done
            done += read_bytes
            progress.report(done)

        result = Scrubber(self.generations.vault, self.run, pace).read(backup)
        if result is None:
            raise VaultError(f"{self.generation.folder} is gone.")
        for warning in result.warnings:
            self.log(warning)
        return result

    def _passed_before(self) -> list[LogEntry]:
        """Return the passed boot tests of the VM's generations, newest first."""
        logs = (generation.verification_log.read() for generation in self.generations.of(self.generation.vm))
        passed = [
            entry for log in logs for entry in log if entry.what == "boot_test" and entry.result == "passed"
        ]
        return sorted(passed, key=lambda entry: trusted_first(entry.when), reverse=True)

    def _entry(
        self, result: Literal["passed", "failed", "not checked"], how: str, seconds: float
    ) -> LogEntry:
        return LogEntry(
            what="boot_test", when=datetime.now(UTC), result=result, how=how, seconds=seconds, run=self.run
        )

    def _keep(self, picture: bytes) -> None:
        """Write the screenshot atomically; skip one that isn't a valid image."""
        with suppress(OSError, ValueError):
            write_whole(self.picture, as_png(picture))

    def _item(self, entry: LogEntry, before: list[LogEntry], *, pictured: bool) -> Item:
        states = {
            "passed": (State.PASSED, Outcome.BOOTED),
            "failed": (State.FAILED, Outcome.NOT_BOOTED),
            "not checked": (State.NOT_CHECKED, Outcome.NOT_CHECKED),
        }
        state, outcome = states[entry.result]
        reason = f"{entry.how}{trend(entry, before)} Its image is {self.generation.name}."
        return Item(
            name=self.generation.vm,
            own=True,
            state=state,
            outcome=outcome,
            reason=reason,
            seconds=entry.seconds,
            picture=str(self.picture) if pictured and self.picture.is_file() else None,
        )


def picture_of(generation: PublishedVm) -> Path:
    """Return the path of the screenshot of a generation's last boot test; it need not exist."""
    return generation.folder.with_name(f"{generation.name}.png")


def _summary(scrub: ScrubResult) -> str:
    if scrub.result == "passed":
        return "Its images are unchanged."
    if scrub.result == "failed":
        return f"Its images are damaged: {scrub.how}"
    return f"Whether its images are unchanged wasn't verified: {scrub.how}"


def trend(entry: LogEntry, before: list[LogEntry]) -> str:
    """Return how long booting took, now and the last times; empty for a boot test that didn't pass."""
    if entry.result != "passed":
        return ""
    last = ", ".join(f"{past.seconds:.1f} s" for past in before[:_SHOWN])
    return f" Booting took {entry.seconds:.1f} s{f'; before: {last}' if last else ''}."
