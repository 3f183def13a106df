"""The forms of Airflow's *Trigger* page, one function per DAG.

The page itself checks only required fields, choices and lengths; Airflow checks patterns when the form is
sent; the run's first task checks the rest against the vault and the host.
"""

from airflow.sdk import Param

from include.config.site_file import Site

Form = dict[str, Param]

_TEXT, _NUMBER = ["null", "string"], ["null", "integer"]
_DAY = "^[0-9]{4}-[0-9]{3}$"
_FOLDER = r"^/[^*?\[\\]*$"
_GENERATION = "^[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(-[0-9]{2}){2}Z$"
_MODES = {
    "beside": "Beside: as a separate copy, network disconnected",
    "in place": "In place: its current disks are overwritten; it must be off",
}
_MORE = "Only when needed"


def supim_daily(site: Site) -> Form:
    """Return the form of ``supim_daily``."""
    newest = f"the newest day that is due, {site.supim.lag_days} days ago"
    return {
        "day": Param(
            None,
            type=_TEXT,
            pattern=_DAY,
            title="Day",
            description=f"Year and day of the year, such as 2026-268. Empty: {newest}. A partition key "
            "(Advanced Options) takes precedence.",
        ),
        "dry_run": _dry_run("surveys the source, plans, mails what would be copied, and changes nothing."),
    }


def vm_weekly() -> Form:
    """Return the form of ``vm_weekly``."""
    return {
        "dry_run": _dry_run(
            "mails which VMs would be backed up and how long each would be down, and touches none. "
            "Off: VMs are stopped NOW, one after the other, for some seconds each."
        )
    }


def vault_scrub() -> Form:
    """Return the form of ``vault_scrub``."""
    return {"dry_run": _dry_run("mails which backups would be read again, and reads none.")}


def vm_boot_test() -> Form:
    """Return the form of ``vm_boot_test``."""
    return {
        "vm": Param(
            None,
            type=_TEXT,
            title="VM",
            description="A VM's name in the vault, such as maq1; it's booted even if its image was before. "
            "Empty: the VMs whose turn it is.",
        ),
        "dry_run": _dry_run("mails which VMs would be booted, and boots none."),
    }


def supim_restore(site: Site) -> Form:
    """Return the form of ``supim_restore``."""
    hosts = [site.supim.source.ssh_conn_id, *(host.ssh_conn_id for host in site.vms.hosts)]
    return {
        "day": Param(
            type="string",
            pattern=_DAY,
            title="Day",
            description="Year and day of the year, such as 2026-268. For several days: the first.",
        ),
        "last": Param(
            None,
            type=_TEXT,
            pattern=_DAY,
            title="Last day",
            description="For several days: the last, such as 2026-270. Empty: one day only.",
        ),
        "folder": Param(
            type="string",
            pattern=_FOLDER,
            title="Folder",
            description="The folder to restore into, such as /data/restored; 2026/268 is created in it. It "
            "begins with /, its parent folder must exist, and it must not be in the vault.",
        ),
        "ssh_conn_id": Param(
            None,
            type=_TEXT,
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
    return {
        "vm": Param(
            type="string", minLength=1, title="VM", description="The VM's name in the vault, such as maq1."
        ),
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
            description="In place: type the VM's name again, because its current disks are overwritten. "
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
        **_more_for_a_vm(site),
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


def _more_for_a_vm(site: Site) -> Form:
    return {
        "new_name": Param(
            None,
            type=_TEXT,
            section=_MORE,
            title="New name",
            description="Beside: the new VM's name. Empty: the original's name and -restored.",
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
            pattern=_GENERATION,
            section=_MORE,
            title="Generation",
            description="The image's folder in the vault, such as 2026-11-22T05-00-03Z. "
            "Empty: the newest that isn't known to be damaged.",
        ),
        "host": Param(
            None,
            type=_TEXT,
            examples=[host.ssh_conn_id for host in site.vms.hosts],
            section=_MORE,
            title="Host",
            description="The SSH connection (Admin, Connections) of the KVM host to restore to. "
            "Empty: the host that it was backed up from.",
        ),
        "folder": Param(
            None,
            type=_TEXT,
            section=_MORE,
            title="Folder",
            description="The folder for its disks on the host, such as /vms; it begins with /. "
            "Empty: where they were.",
        ),
    }


def _dry_run(effect: str) -> Param:
    return Param(default=False, type="boolean", title="Dry run", description=f"On: {effect}")
