"""The site file's section ``mail``: who gets the reports, and which runs are worth a mail."""

from enum import StrEnum
from typing import Annotated
from urllib.parse import quote

from pydantic import AfterValidator, BeforeValidator, Field

from include.config.section import Section


def _mail_address(address: str) -> str:
    name, _, domain = address.partition("@")
    if not name or not domain or any(char.isspace() or not char.isprintable() for char in address):
        raise ValueError(f"{address!r} is no mail address.")
    return address


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Address = Annotated[str, AfterValidator(_mail_address)]
Addresses = Annotated[list[Address], BeforeValidator(_as_list)]


class When(StrEnum):
    """After which runs a report is mailed. A problem is always mailed."""

    ALWAYS = "always"
    CHANGES = "changes"
    PROBLEMS = "problems"


class MailWhenSection(Section):
    """After which runs a mail comes: always, changes or problems; after a problem it always does."""

    days: When = Field(
        default=When.CHANGES,
        description="`supim_daily`. Its scheduled run copies a day, so a mail comes each day; a repeated run "
        "that finds all safe sends none.",
    )
    vms: When = Field(default=When.ALWAYS, description="`vm_weekly`.")
    restore: When = Field(
        default=When.ALWAYS, description="`supim_restore` and `vm_restore`: somebody waits for it."
    )
    boot_test: When = Field(default=When.ALWAYS, description="`vm_boot_test`: its mail has the screenshots.")
    scrub: When = Field(
        default=When.ALWAYS, description="`vault_scrub`: once a week, and nobody sees it otherwise."
    )


class MailSection(Section):
    """Who gets the reports."""

    to: Addresses = Field(min_length=1, description="Who gets the reports.")
    cc: Addresses = Field(default=[], description="Who gets a copy.")
    subject_prefix: str = Field(
        default="INPE backup", description="What every subject begins with, in brackets."
    )
    smtp_conn_id: str = Field(
        default="smtp_default", description="The Airflow connection of the mail server."
    )
    backfill_stuck_s: float = Field(
        default=3600,
        gt=0,
        description="Seconds after which a backfill that goes on is mailed once, counted from its first run "
        "that failed, or from the last one that ended. Its report is mailed when it ends.",
    )
    users: dict[str, Address] = Field(
        default={},
        description="Addresses of Airflow's users, by user name. Dry runs and refused requests are mailed to "
        "whoever triggered them, and to nobody else.",
    )
    when: MailWhenSection = Field(default=MailWhenSection(), description="Which runs are mailed.")

    @property
    def link(self) -> str:
        """A link to write a mail to the people of interest."""
        return f"mailto:{','.join(quote(address, safe='@') for address in self.to)}"  # RFC 6068
