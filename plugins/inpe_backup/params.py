"""The forms of Airflow's *Trigger* page, one function per DAG.

The page itself checks only required fields, choices and lengths; Airflow checks formats (``form_checks.py``)
when the form is sent, and creates no run if one is wrong; the run's first task checks what takes several
fields, the vault or the host.
"""

from airflow.sdk import Param

from include.config.site_file import Site
from inpe_backup import choices, form_checks

Form = dict[str, Param]

_TEXT, _NUMBER = ["null", "string"], ["null", "integer"]
_DAY = "year and day of the year, such as 2026-268, or the date, such as 2026-09-25"
_MODES = {
    "beside": "Beside: as a separate copy, network disconnected",
    "in place": "In place: its current disks are replaced; it must be off",
}
_MORE = "Only when needed"


def supim_daily(site: Site) -> Form:
    """Return the form of ``supim_daily``."""
    newest = f"the newest day that is due, {site.supim.lag_days} days ago"
    return {
        "day": Param(
            None,
            type=_TEXT,
            format=form_checks.DAY,
            title="Day",
            description=f"The {_DAY}. Empty: {newest}. A partition key (Advanced Options) takes precedence, "
            "and in a backfill the dates do: leave it empty there.",
        ),
        "dry_run": _dry_run("surveys the source, plans, mails what would be copied, and changes nothing."),
    }


def vm_weekly() -> Form:
    """Return the form of ``vm_weekly``."""
    return {
        "vms": Param(
            None,
            type=["null", "array"],
            items={"type": "string"},
            format=form_checks.VM_PATTERNS,
            title="VMs",
            description="Names of VMs to back up now, or patterns such as web*, one per line. What the "
            "site file excludes stays excluded. Empty: all VMs.",
        ),
        "dry_run": _dry_run(
            "mails which VMs would be backed up and how long each would be down, and touches none. "
            "Off: VMs are stopped NOW, one after the other, for some seconds each."
        ),
    }


def vault_scrub() -> Form:
    """Return the form of ``vault_scrub``."""
    return {
        "backup": Param(
            None,
            type=_TEXT,
            title="Backup",
            description="Read this backup now: a day (2026-268), one of its revisions (2026-268.r2), a VM "
            "(maq1), one of its generations (maq1/2026-11-22T05-00-03Z), or all. Empty: those that are due. "
            "Names and sizes of all backups are checked in any case.",
        ),
        "dry_run": _dry_run("checks names and sizes, mails which backups would be read, and reads none."),
    }


def vm_boot_test() -> Form:
    """Return the form of ``vm_boot_test``."""
    return {
        "vm": Param(
            None,
            type=_TEXT,
            minLength=1,
            format=form_checks.VM,
            **choices.suggested_vms(choices.published()),
            title="VM",
            description="A VM's name in the vault, such as maq1. It is booted even if its image was before. "
            "Empty: the VMs whose turn it is.",
        ),
        "dry_run": _dry_run("mails which VMs would be booted, and boots none."),
    }


def vm_protect() -> Form:
    """Return the form of ``vm_protect``."""
    images = choices.published()
    return {
        "vm": _vm(images),
        "generation": Param(
            type="string",
            format=form_checks.GENERATION,
            **choices.suggested_images(images),
            title="Image",
            description="The image's folder in the vault, such as 2026-11-22T05-00-03Z.",
        ),
        "why": Param(
            None,
            type=_TEXT,
            maxLength=300,
            title="Reason",
            description="Why it's protected, such as: before the upgrade. Empty: only to lift a protection.",
        ),
        "lift": Param(
            default=False,
            type="boolean",
            title="Lift it",
            description="On: the image is no longer protected. Off: it is protected until you lift that.",
        ),
    }


def supim_restore(site: Site) -> Form:
    """Return the form of ``supim_restore``."""
    hosts = [site.supim.source.ssh_conn_id, *(host.ssh_conn_id for host in site.vms.hosts)]
    days = choices.suggested_days()
    return {
        "day": Param(
            type="string",
            format=form_checks.DAY,
            **days,
            title="Day",
            description=f"The {_DAY}. For several days: the first.",
        ),
        "last": Param(
            None,
            type=_TEXT,
            format=form_checks.DAY,
            **days,
            title="Last day",
            description="For several days: the last, such as 2026-270 or 2026-09-27. Empty: one day only.",
        ),
        "folder": Param(
            type="string",
            format=form_checks.DAY_FOLDER,
            title="Folder",
            description="The folder to restore into, such as /data/restored; 2026/268 is created in it. It "
            "begins with /, its parent folder must exist, and it must not be in the vault.",
        ),
        "ssh_conn_id": Param(
            None,
            type=_TEXT,
            minLength=1,
            examples=hosts,
            title="Host",
            description="The SSH connection (Admin, Connections) of the host to restore to; it must pin the "
            "host key. Empty: the worker that has the vault.",
        ),
        "dry_run": _dry_run("verifies the days, mails what would be sent or refused, and writes nothing."),
        **_more_for_days(),
    }


def vm_restore(site: Site) -> Form:
    """Return the form of ``vm_restore``."""
    images = choices.published()
    return {
        "vm": _vm(images),
        "how": Param(
            "beside",
            enum=list(_MODES),
            values_display=_MODES,
            title="How",
            description="Beside: the original isn't touched. In place: disks and definition are replaced.",
        ),
        "confirm": Param(
            None,
            type=_TEXT,
            title="Confirm",
            description="In place: type the VM's name again, because its current disks are replaced. "
            "Empty: only for a restore beside it.",
        ),
        "start": Param(
            default=False,
            type="boolean",
            title="Start it",
            description="On: the VM is started once it's restored and verified. Off: it stays off.",
        ),
        "dry_run": _dry_run(
            "mails what would be written, where, and what is in the way, and changes nothing."
        ),
        **_more_for_a_vm(site, images),
    }


def _more_for_days() -> Form:
    return {
        "pattern": Param(
            "*",
            type="string",
            minLength=1,
            section=_MORE,
            title="Files",
            description="A pattern of the day's files: * is all, *.ctl* the descriptors.",
        ),
        "revision": Param(
            None,
            type=_NUMBER,
            minimum=1,
            section=_MORE,
            title="Revision",
            description="Which revision of the day: 1 is the first, 2 is 268.r2 in the vault. "
            "Empty: the newest that isn't known to be damaged.",
        ),
        "overwrite": Param(
            default=False,
            type="boolean",
            section=_MORE,
            title="Overwrite",
            description="Off: if other files are in the way, nothing of that day is written. "
            "On: they are overwritten, and the mail lists them.",
        ),
    }


def _more_for_a_vm(site: Site, images: choices.Images) -> Form:
    hosts = [host.ssh_conn_id for host in site.vms.hosts]
    return {
        "new_name": Param(
            None,
            type=_TEXT,
            format=form_checks.NEW_VM,
            section=_MORE,
            title="New name",
            description="Beside: the new VM's name, not the original's. Empty: that and -restored.",
        ),
        "keep_old": Param(
            default=True,
            type="boolean",
            section=_MORE,
            title="Keep the old disks",
            description="In place. On: they stay beside the restored ones, as ….before-restore-<date>, "
            "until you remove them. Off: they are overwritten or deleted.",
        ),
        "generation": Param(
            None,
            type=_TEXT,
            format=form_checks.GENERATION,
            **choices.suggested_images(images),
            section=_MORE,
            title="Generation",
            description="The image's folder in the vault, such as 2026-11-22T05-00-03Z. "
            "Empty: the newest that isn't known to be damaged.",
        ),
        "host": Param(
            None,
            type=_TEXT,
            enum=[None, *hosts],
            values_display={"None": "The host that it was backed up from", **{host: host for host in hosts}},
            section=_MORE,
            title="Host",
            description="The SSH connection (Admin, Connections) of the KVM host to restore to. "
            "Empty: the host that it was backed up from.",
        ),
        "folder": Param(
            None,
            type=_TEXT,
            format=form_checks.VM_FOLDER,
            section=_MORE,
            title="Folder",
            description="The folder for its disks on the host, such as /vms; it begins with /. "
            "Empty: where they were.",
        ),
    }


def _vm(images: choices.Images) -> Param:
    return Param(
        type="string",
        minLength=1,
        format=form_checks.VM,
        **choices.suggested_vms(images),
        title="VM",
        description="The VM's name in the vault, such as maq1.",
    )


def _dry_run(effect: str) -> Param:
    return Param(default=False, type="boolean", title="Dry run", description=f"On: {effect}")
