"""The site file: everything that a site decides. All mistakes in it are reported at once."""

import os
from functools import cache
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import yaml
from pydantic import ByteSize, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from include.config.boot_test import BootTestSection, BootTestSettings
from include.config.datasets import DatasetsSection, SupimSection
from include.config.heartbeats import HeartbeatsSection
from include.config.mail import MailSection
from include.config.scrub import ScrubSection
from include.config.section import AbsolutePath, Section
from include.config.vms import VmsSection
from include.errors import ConfigError
from include.models import ZoneName
from include.text import counted

DEFAULT_PATH = Path(__file__).parents[1] / "site.yaml"
_PLAIN = {"missing": "missing", "extra_forbidden": "there is no such key"}


class InstituteSection(Section):
    """The institute that runs the backup, and its time zone."""

    name: str = Field(default="CRS-INPE", description="The name on the reports.")
    timezone: ZoneName = Field(
        default="America/Sao_Paulo", description="The zone of the schedules, and of 'today'."
    )

    @property
    def zone(self) -> ZoneInfo:
        """The institute's time zone."""
        return ZoneInfo(self.timezone)


QueueName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$")]
"""A queue as a worker's command line takes it: a comma there separates two."""


class VaultSection(Section):
    """The vault: a local folder of the worker that runs the tasks."""

    path: AbsolutePath = Field(description="The vault's folder; it must have a vault marker.")
    reserve: ByteSize = Field(default=ByteSize(20 * 10**9), ge=0, description="Space that always stays free.")
    queue: QueueName | None = Field(
        default=None, description="The queue of the worker that owns the vault; null: any worker."
    )
    executor: str | None = Field(
        default=None,
        description="The Airflow executor of that queue, such as CeleryExecutor; null: Airflow's first one.",
    )


class VaultsSection(Section):
    """The vaults."""

    main: VaultSection


class Site(Section):
    """The whole site file."""

    institute: InstituteSection = InstituteSection()
    mail: MailSection
    vaults: VaultsSection
    datasets: DatasetsSection
    vms: VmsSection = VmsSection()
    boot_test: BootTestSection = BootTestSection()
    scrub: ScrubSection = ScrubSection()
    heartbeats: HeartbeatsSection = HeartbeatsSection()

    @property
    def vault(self) -> VaultSection:
        """The vault of all backups."""
        return self.vaults.main

    @property
    def supim(self) -> SupimSection:
        """The SUPIM days."""
        return self.datasets.supim

    def boot_test_of(self, vm: str) -> BootTestSettings | None:
        """Return the boot test settings of a VM; None if it isn't booted."""
        override = self.vms.override(vm)
        return self.boot_test.merged_with(override.boot_test if override else None)

    def boot_test_required(self, vm: str) -> bool:
        """Return whether an image of a VM is removed only once a newer one has booted."""
        return self.boot_test.required and self.boot_test_of(vm) is not None


def load(path: Path) -> Site:
    """Read and check a site file.

    Raises:
        ConfigError: the file is wrong; the message has every wrong key with its path and what to write.
    """
    try:
        return Site.model_validate(yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) or {})
    except OSError as unreadable:
        raise ConfigError(f"The site file {path} can't be read: {unreadable.strerror}.") from unreadable
    except ValidationError as wrong:
        messages = "\n".join(_message(error) for error in wrong.errors())
        count = counted(wrong.error_count(), "wrong key")
        raise ConfigError(f"The site file {path} has {count}:\n{messages}") from wrong
    except (yaml.YAMLError, ValueError) as garbled:  # ValueError: no UTF-8, or a date such as 2026-13-45
        raise ConfigError(f"The site file {path} is no YAML: {garbled}") from garbled


@cache
def current() -> Site:
    """Return the current site file: that of ``INPE_BACKUP_SITE``, or ``include/site.yaml``."""
    return load(Path(os.environ.get("INPE_BACKUP_SITE") or DEFAULT_PATH))


def _message(error: ErrorDetails) -> str:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"])
    what = (
        _PLAIN.get(error["type"])
        or f"{error['msg'].removeprefix('Value error, ')} (found: {error['input']!r})"
    )
    return f"  {where.lstrip('.') or 'the whole file'}: {what}"
