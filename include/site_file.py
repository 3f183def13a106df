"""The site file: everything a site decides, described once, checked once, complained about all at once."""

import os
import re
from functools import cache
from pathlib import Path
from typing import Annotated
from urllib.parse import quote
from zoneinfo import ZoneInfo

import yaml
from pydantic import AfterValidator, BeforeValidator, ByteSize, Field, ValidationError
from pydantic_core import ErrorDetails

from include.audit.section import AuditSection
from include.errors import ConfigError
from include.facts import ZoneName
from include.machines.section import MachinesSection
from include.ordinal_day import FolderPattern
from include.section import AbsolutePath, Section
from include.wording import counted

DEFAULT_PATH = Path(__file__).with_name("site.yaml")
_PLAIN = {"missing": "missing", "extra_forbidden": "there is no such key"}


def _folder_pattern(text: str) -> str:
    return _no_wildcards(FolderPattern(text).text)


def _daily(cron: str) -> str:
    if not re.fullmatch(r"[0-5]?[0-9] ([01]?[0-9]|2[0-3]) \* \* \*", cron):
        raise ValueError(
            f"{cron!r} must be once a day: minute, hour, then three stars, such as '30 6 * * *'."
        )
    return cron


def _mail_address(address: str) -> str:
    name, _, domain = address.partition("@")
    if not name or not domain or any(sign.isspace() or not sign.isprintable() for sign in address):
        raise ValueError(f"{address!r} is no mail address.")
    return address


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _no_wildcards(path: str) -> str:
    if set(path) & set("*?[\\"):
        raise ValueError(f"{path!r} must hold none of * ? [ and backslash: rsync would expand them.")
    return path


Addresses = Annotated[list[Annotated[str, AfterValidator(_mail_address)]], BeforeValidator(_as_list)]


class Institute(Section):
    """Who runs this, and where their days begin."""

    name: str = Field(default="CRS-INPE", description="The name that reports carry.")
    timezone: ZoneName = Field(
        default="America/Sao_Paulo", description="The zone in which the schedule and 'today' are meant."
    )

    @property
    def zone(self) -> ZoneInfo:
        """The institute's time zone."""
        return ZoneInfo(self.timezone)


class Mail(Section):
    """Who gets the reports. The server itself is the Airflow connection ``smtp_default``."""

    to: Addresses = Field(min_length=1, description="The people of interest.")
    cc: Addresses = Field(default=[], description="Who gets a copy.")
    subject_prefix: str = Field(
        default="INPE backup", description="What every subject begins with, in brackets."
    )
    connection: str = Field(default="smtp_default", description="The Airflow connection of the mail server.")

    @property
    def link(self) -> str:
        """Give the link with which people write to the people of interest."""
        return f"mailto:{','.join(quote(address, safe='@') for address in self.to)}"  # RFC 6068


class VaultSection(Section):
    """The archive: a local folder of the worker that runs the tasks."""

    path: AbsolutePath = Field(description="The vault's folder; it must hold a vault marker.")
    reserve: ByteSize = Field(
        default=ByteSize(20 * 10**9), ge=0, description="Free space that a backup never uses up."
    )
    queue: str | None = Field(default=None, description="The queue of the worker that owns the vault.")


class SourceSection(Section):
    """Where SUPIM days come from."""

    connection: str = Field(default="supim_cluster", description="The Airflow SSH connection of the cluster.")
    root: Annotated[AbsolutePath, AfterValidator(_no_wildcards)] = Field(
        description="The folder there that holds the years."
    )
    folder: Annotated[str, AfterValidator(_folder_pattern)] = Field(
        default="{year}/{day:03d}", description="A day's folder below the root; other paddings are found too."
    )
    keeps_days: int | None = Field(
        default=None, ge=1, description="How many days the source keeps a day; null: nobody knows."
    )

    @property
    def pattern(self) -> FolderPattern:
        """How a day's folder is named."""
        return FolderPattern(self.folder)


class Supim(Section):
    """The daily backup of the simulation."""

    schedule: Annotated[str, AfterValidator(_daily)] = Field(
        default="30 6 * * *", description="When the daily run starts, as a cron line in the institute's zone."
    )
    lag_days: int = Field(
        default=2, ge=0, le=30, description="A run's day is this many days before its date."
    )
    look_back: int = Field(
        default=30, ge=0, le=366, description="How many days back a scheduled run looks for gaps to close."
    )
    recheck_s: int = Field(
        default=1800, ge=5, description="Seconds between two looks at a day that isn't complete yet."
    )
    give_up_after_s: int = Field(
        default=12 * 3600, ge=0, description="Seconds after the run was due when waiting for its day ends."
    )
    retry_delay_s: int = Field(
        default=120, ge=1, description="Seconds between two tries of what a retry can help."
    )
    steps_per_day: int | None = Field(
        default=24, ge=1, description="Time steps that make a day complete; null accepts any number."
    )
    check_descriptors: bool = Field(
        default=True, description="Check each descriptor's data file; false takes a folder of any content."
    )
    source: SourceSection


class Site(Section):
    """The whole site file."""

    institute: Institute = Institute()
    mail: Mail
    vault: VaultSection
    supim: Supim
    machines: MachinesSection = MachinesSection()
    audit: AuditSection = AuditSection()


def load(path: Path) -> Site:
    """Read and check a site file.

    Raises:
        ConfigError: names the file and, for every wrong key, its path and what to write.
    """
    try:
        return Site.model_validate(yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) or {})
    except OSError as unreadable:
        raise ConfigError(f"The site file {path} can't be read: {unreadable.strerror}.") from unreadable
    except ValidationError as wrong:
        complaints = "\n".join(_complaint(error) for error in wrong.errors())
        found = counted(wrong.error_count(), "wrong key")
        raise ConfigError(f"The site file {path} has {found}:\n{complaints}") from wrong
    except (yaml.YAMLError, ValueError) as garbled:  # ValueError: no UTF-8, or a date such as 2026-13-45
        raise ConfigError(f"The site file {path} is no YAML: {garbled}") from garbled


@cache
def current() -> Site:
    """Give the site file in force: that of ``INPE_BACKUP_SITE``, or ``include/site.yaml``."""
    return load(Path(os.environ.get("INPE_BACKUP_SITE") or DEFAULT_PATH))


def _complaint(error: ErrorDetails) -> str:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"])
    what = (
        _PLAIN.get(error["type"])
        or f"{error['msg'].removeprefix('Value error, ')} (found: {error['input']!r})"
    )
    return f"  {where.lstrip('.') or 'the whole file'}: {what}"
