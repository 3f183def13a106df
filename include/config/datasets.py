"""The site file's section ``datasets``: the source of the SUPIM days, and when a day is complete."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from include.config.section import AbsolutePath, DailyCron, Section, without_wildcards
from include.ordinal_day import FolderPattern


def _folder_pattern(text: str) -> str:
    return without_wildcards(FolderPattern(text).text)


TEMPORARY = (".nfs*", ".*.??????", ".*.sw?", "*~", "#*#", ".#*", ".~lock.*")
"""Names of temporary files: of NFS (removed while open), of rsync, of editors and office programs."""


def _name_pattern(text: str) -> str:
    if not re.fullmatch(r"[\w.~#*?\[\]@%+=,-]+", text):
        raise ValueError("must be a pattern of a name: letters, digits and .~#*?[]@%+=,- only")
    return text


class SourceSection(Section):
    """The cluster that SUPIM days come from."""

    ssh_conn_id: str = Field(
        default="supim_cluster", description="The Airflow SSH connection of the cluster."
    )
    root: Annotated[AbsolutePath, AfterValidator(without_wildcards)] = Field(
        description="The folder of all days there."
    )
    folder: Annotated[str, AfterValidator(_folder_pattern)] = Field(
        default="{year}/{day:03d}",
        description="A day's folder below the root; other paddings are found, too.",
    )

    exclude: tuple[Annotated[str, AfterValidator(_name_pattern)], ...] = Field(
        default=TEMPORARY,
        description="Patterns of the names of files and folders that are no part of a day: by default what "
        "NFS, rsync and editors leave for a moment.",
    )

    @property
    def pattern(self) -> FolderPattern:
        """How a day's folder is named."""
        return FolderPattern(self.folder)


class GradsCheck(Section):
    """The check of a day's GrADS descriptors, each against its data file."""

    steps: int | None = Field(
        default=24, ge=1, description="Time steps of a complete day; null accepts any number."
    )


class CheckSection(Section):
    """When a day is complete."""

    grads: GradsCheck | None = Field(
        default=GradsCheck(), description="Check GrADS descriptors; null takes a folder of any content."
    )


class SupimSection(Section):
    """The daily backup of SUPIM."""

    schedule: DailyCron = Field(
        default="30 6 * * *", description="When the daily run starts, as a cron line in the institute's zone."
    )
    lag_days: int = Field(
        default=2, ge=0, le=30, description="A run's day is this many days before its date."
    )
    lookback_days: int = Field(
        default=30, ge=0, le=366, description="How many days back a scheduled run looks for missing days."
    )
    poke_interval_s: int = Field(
        default=1800, ge=5, description="Seconds between two checks of a day that isn't complete yet."
    )
    timeout_s: int = Field(
        default=12 * 3600, ge=0, description="Seconds after its schedule that a run waits for its day."
    )
    retry_delay_s: int = Field(default=120, ge=1, description="Seconds between retries.")
    keep_days_at_source: int | None = Field(
        default=None, ge=1, description="How many days the source keeps a day; null: not known."
    )
    source: SourceSection
    check: CheckSection = CheckSection()


class DatasetsSection(Section):
    """What is backed up day by day."""

    supim: SupimSection
