"""The forms of *Trigger*, one function for each DAG: fields in the order in which a person thinks of them.

The web page itself checks little (what is required, a choice, a length), Airflow the patterns once the form
is sent, and the run's first task what only the vault or a host knows.
"""

from airflow.sdk import Param

from include.site_file import Site

Form = dict[str, Param]

_TEXT, _NUMBER = ["null", "string"], ["null", "integer"]
_DAY = "^[0-9]{4}-[0-9]{3}$"
_FOLDER = r"^/[^*?\[\\]*$"
_GENERATION = "^[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(-[0-9]{2}){2}Z$"
_HOWS = {
    "beside": "Beside it: as a new machine; the old one isn't touched",
    "in place": "In place: it becomes what it was; it must be off",
}
_MORE = "Only when needed"


def supim_daily(site: Site) -> Form:
    """Give the form of a run by hand of the daily backup."""
    newest = f"the newest that is due, {site.supim.lag_days} days back"
    return {
        "day": Param(
            None,
            type=_TEXT,
            pattern=_DAY,
            title="Day",
            description=f"Year and day of the year, such as 2026-268. Empty: {newest}. A partition key "
            "(Advanced Options) goes before it.",
        ),
        "dry_run": _dry_run(
            "looks at the source and plans, mails what would be copied, and changes nothing."
        ),
    }


def vm_weekly() -> Form:
    """Give the form of a run by hand of the machines' backup."""
    return {
        "dry_run": _dry_run(
            "mails which machines would be imaged, and how long each would be down; touches none. "
            "Off: machines are stopped NOW, one after the other, for seconds each."
        )
    }


def audit_vault() -> Form:
    """Give the form of an audit by hand."""
    return {"dry_run": _dry_run("mails what would be read again, and reads nothing.")}


def drill_machines() -> Form:
    """Give the form of a drill by hand."""
    return {
        "machine": Param(
            None,
            type=_TEXT,
            title="Machine",
            description="The name of one in the vault, such as maq1; it's booted even if it was before. "
            "Empty: those whose turn it is.",
        ),
        "dry_run": _dry_run("mails which machines would be booted, and boots none."),
    }


def restore_day(site: Site) -> Form:
    """Give the form for days that are wanted back."""
    hosts = [site.supim.source.connection, *(host.connection for host in site.machines.hosts)]
    return {
        "day": Param(
            type="string",
            pattern=_DAY,
            title="Day",
            description="Year and day of the year, such as 2026-268. Of several days, the first.",
        ),
        "last": Param(
            None,
            type=_TEXT,
            pattern=_DAY,
            title="Last day",
            description="Of several days, the last, such as 2026-270. Empty: one day only.",
        ),
        "folder": Param(
            type="string",
            pattern=_FOLDER,
            title="Folder",
            description="Where to, such as /data/restored; 2026/268 is made in it. It begins with /, and the "
            "folder that it lies in must be there. Not the vault.",
        ),
        "connection": Param(
            None,
            type=_TEXT,
            examples=hosts,
            title="Host",
            description="To another machine: its SSH connection (Admin, Connections); it pins the host key. "
            "Empty: the folder is this worker's, where the vault is.",
        ),
        "dry_run": _dry_run("proves the days, mails what would be sent or refused, and writes nothing."),
        **_more_of_a_day(),
    }


def restore_machine(site: Site) -> Form:
    """Give the form for a machine that is wanted back."""
    return {
        "machine": Param(
            type="string", minLength=1, title="Machine", description="Its name in the vault, such as maq1."
        ),
        "how": Param(
            "beside",
            enum=list(_HOWS),
            values_display=_HOWS,
            title="How",
            description="Beside it, where the old one may still be of use; in place, where it's damaged.",
        ),
        "confirm": Param(
            None,
            type=_TEXT,
            title="Confirm",
            description="In place: type the machine's name once more, as its disks give way to older ones. "
            "Empty: only beside it.",
        ),
        "start": Param(
            default=False,
            type="boolean",
            title="Start it",
            description="On: it's started once it's restored and proven. Off: it stays off.",
        ),
        "dry_run": _dry_run(
            "mails what would be written, where, and what stands in the way; changes nothing."
        ),
        **_more_of_a_machine(site),
    }


def _more_of_a_day() -> Form:
    return {
        "pattern": Param(
            "*",
            type="string",
            minLength=1,
            section=_MORE,
            title="Files",
            description="Which of a day's files: * is all, *.ctl* the descriptors.",
        ),
        "revision": Param(
            None,
            type=_NUMBER,
            minimum=1,
            section=_MORE,
            title="Revision",
            description="Which version of a day that changed: 1 is the first, 2 is 268.r2 in the vault. "
            "Empty: the newest that isn't known to be damaged.",
        ),
        "overwrite": Param(
            default=False,
            type="boolean",
            section=_MORE,
            title="Overwrite",
            description="Off: where another file has a name that is needed, nothing of that day is written. "
            "On: it's replaced, and the mail says which.",
        ),
    }


def _more_of_a_machine(site: Site) -> Form:
    return {
        "new_name": Param(
            None,
            type=_TEXT,
            section=_MORE,
            title="New name",
            description="Beside it: what the new machine is called. Empty: as the old one, and -restored.",
        ),
        "keep_old": Param(
            default=True,
            type="boolean",
            section=_MORE,
            title="Keep the old disks",
            description="In place. On: they are kept beside the restored ones, as ….before-restore-<date>, "
            "until you remove them. Off: they are lost.",
        ),
        "generation": Param(
            None,
            type=_TEXT,
            pattern=_GENERATION,
            section=_MORE,
            title="Generation",
            description="Which image: its folder's name in the vault, such as 2026-11-22T05-00-03Z. "
            "Empty: the newest that isn't known to be damaged.",
        ),
        "host": Param(
            None,
            type=_TEXT,
            examples=[host.connection for host in site.machines.hosts],
            section=_MORE,
            title="Host",
            description="The SSH connection (Admin, Connections) of the KVM host that it goes to. "
            "Empty: the one that it came from.",
        ),
        "folder": Param(
            None,
            type=_TEXT,
            section=_MORE,
            title="Folder",
            description="Where its disks go on the host, such as /vms; it begins with /. "
            "Empty: where they were.",
        ),
    }


def _dry_run(told: str) -> Param:
    return Param(default=False, type="boolean", title="Dry run", description=f"On: {told}")
