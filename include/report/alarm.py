"""Alarms: mails of their own about what can't wait for the run's report, and about its end.

A VM that didn't come back or isn't thawed, damage in the vault, a vault that isn't mounted. What was mailed
is remembered, so that a fact is mailed once, and again when it's over; ``plugins/inpe_backup/alarm.py`` says
where.
"""

import html
import shlex
import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple

from pydantic import AwareDatetime

from include.models import Model
from include.results.states import Text
from include.text import visible, zoned

_WIDTH = 78
_LISTED = 20
KEPT = timedelta(days=90)
"""How long a fact is remembered whose end nobody sees, such as of a VM that was removed."""


class Alarm(Model):
    """A fact that somebody must know at once.

    Args:
        key: what it is about, the same for the same fact.
        occasion: the run in which it happened, if it's another fact in another run; and what happened, if
            that can get worse.
        title: what happened, for the subject: ``VM DOWN · maq2 did not come back``.
        over: the same of the mail about its end: ``maq2 is back``.
        sentences: what happened and what to do, a paragraph each.
    """

    key: str
    occasion: str = ""
    title: Text
    over: Text
    sentences: tuple[Text, ...]


class Mailed(Model):
    """An alarm that was mailed and isn't over.

    Args:
        since: when it was mailed.
        occasion: the alarm's.
        over: the alarm's.
    """

    since: AwareDatetime
    occasion: str = ""
    over: Text


Remembered = Mapping[str, Mailed]
"""The alarms that were mailed and aren't over, by their keys."""


class VmOnHost(NamedTuple):
    """A VM, and how a person reaches it.

    Args:
        name: as it is shown.
        uuid: by which libvirt identifies it.
        ssh_conn_id: the Airflow connection of its host.
        uri: the connection URI of libvirt there: without it, virsh asks another libvirt if it isn't root's.
    """

    name: str
    uuid: str
    ssh_conn_id: str
    uri: str

    @property
    def host(self) -> str:
        """Its host, as a phrase."""
        return f"the host of connection {self.ssh_conn_id}"

    def virsh(self, command: str) -> str:
        """Return the command line of a command of virsh about it, in backquotes."""
        return f"`virsh -c {shlex.quote(self.uri)} {command} {self.uuid}`"


def what_to_do(vm: VmOnHost) -> str:
    """Return what somebody must do about a VM that didn't come back, in sentences."""
    return (
        f"{vm.name} did not come back. Check it now: on {vm.host}, {vm.virsh('domstate')} shows its state. "
        f"If it is shut off, {vm.virsh('start')} starts it; if it is paused, {vm.virsh('resume')} resumes it."
    )


def how_to_thaw(vm: VmOnHost) -> str:
    """Return what somebody must do about a VM that isn't seen to be thawed, in sentences."""
    return (
        f"{vm.name} may still be frozen after its backup, so its writes may hang. Check it now: on "
        f"{vm.host}, {vm.virsh('domstate')} shows its state. If it is paused, {vm.virsh('resume')} resumes "
        f"it, without which its guest agent can't answer. Then {vm.virsh('domfsthaw')} thaws it; if its "
        "guest agent doesn't answer, restart it or the guest."
    )


def vm_key(ssh_conn_id: str, uuid: str) -> str:
    """Return the key of the alarm about a VM."""
    return f"vm {ssh_conn_id} {uuid}"


def vm_down(vm: VmOnHost, reason: str, run: str) -> Alarm:
    """Return the alarm about a VM that isn't seen to run after its backup."""
    return Alarm(
        key=vm_key(vm.ssh_conn_id, vm.uuid),
        occasion=run,
        title=f"VM DOWN · {vm.name} did not come back",
        over=f"{vm.name} is back",
        sentences=(
            what_to_do(vm),
            reason,
            "This run stops no other VM of that host. Its report will repeat this alarm.",
        ),
    )


def vm_frozen(vm: VmOnHost, reason: str, run: str) -> Alarm:
    """Return the alarm about a VM that isn't seen to be thawed after its backup."""
    down = vm_down(vm, reason, run)
    what = {
        "occasion": f"frozen {run}",  # that it's down is another fact, in the same run, too
        "title": f"VM FROZEN · {vm.name} may still be frozen",
        "sentences": (how_to_thaw(vm), *down.sentences[1:]),
    }
    return Alarm.model_validate(down.model_dump() | what)


def vault_key(path: str) -> str:
    """Return the key of the alarm about a vault."""
    return f"vault {path}"


def vault_gone(path: str, reason: str) -> Alarm:
    """Return the alarm about a vault that isn't mounted."""
    return Alarm(
        key=vault_key(path),
        title="VAULT GONE · the backup disk isn't mounted",
        over="the vault is mounted again",
        sentences=(reason, "Nothing is backed up until it is. Mount it, then clear the failed tasks."),
    )


def worker_key(queue: str) -> str:
    """Return the key of the alarm about the worker of a queue."""
    return f"worker {queue}"


def worker_gone(queue: str, reason: str) -> Alarm:
    """Return the alarm about a vault whose queue no worker serves."""
    return Alarm(
        key=worker_key(queue),
        title=f"WORKER GONE · nobody serves the vault's queue {queue}",
        over=f"the vault's queue {queue} has a worker again",
        sentences=(reason, "Nothing is backed up until it has one. Then clear the failed tasks."),
    )


DAMAGE = "damage "


def damage_key(backup: str) -> str:
    """Return the key of the alarm about damage of a backup."""
    return f"{DAMAGE}{backup}"


def damaged(backup: str, how: str) -> Alarm:
    """Return the alarm about damage of a backup in the vault."""
    return Alarm(
        key=damage_key(backup),
        title=f"DAMAGE · {backup} no longer matches its checksums",
        over=f"{backup} is intact, replaced by an intact version, or removed",
        sentences=(
            f"{backup}: {how}",
            "Find out whether the vault's disk is failing (dmesg, smartctl) or files were changed by hand.",
        ),
    )


REREAD = "reread "


def reread_key(vm: str) -> str:
    """Return the key of the alarm about a VM of which something had changed that counted as unchanged."""
    return f"{REREAD}{vm}"


def reread_differs(vm: str, how: str, run: str) -> Alarm:
    """Return the alarm about a VM of which something had changed that counted as unchanged."""
    return Alarm(
        key=reread_key(vm),
        occasion=run,
        title=f"SUSPECT IMAGES · {vm} had changed where its host's file system showed no change",
        over=f"the disks of {vm} needn't be read whole any more",
        sentences=(
            f"{vm}: {how}",
            "Its disks are read whole until you remove read-whole.json from its folder in the vault.",
            "Find out who writes to its disks or clones on the host, and whether its hardware is failing.",
        ),
    )


def new_ones(alarms: Sequence[Alarm], remembered: Remembered) -> list[Alarm]:
    """Return the alarms that weren't mailed yet, without doubles."""
    new = {
        alarm.key: alarm
        for alarm in alarms
        if alarm.key not in remembered or remembered[alarm.key].occasion != alarm.occasion
    }
    return list(new.values())


def with_mailed(remembered: Remembered, alarms: Sequence[Alarm], now: datetime) -> dict[str, Mailed]:
    """Return what is to be remembered after some alarms were mailed; what is too old is forgotten."""
    kept = {key: mailed for key, mailed in remembered.items() if now - mailed.since <= KEPT}
    return kept | {alarm.key: Mailed(since=now, occasion=alarm.occasion, over=alarm.over) for alarm in alarms}


def alarm_mail(alarms: Sequence[Alarm], *, prefix: str, log_url: str | None) -> tuple[str, list[str]]:
    """Return the subject and the paragraphs of one mail about some alarms, of which the first leads."""
    first, *more = alarms
    others = [f"Also: {alarm.sentences[0]}" for alarm in more[:_LISTED]]
    rest = [f"And {len(more) - _LISTED} more."] if len(more) > _LISTED else []
    log = [f"Log: {log_url}"] if log_url else []
    return _subject(prefix, first.title, more), [*first.sentences, *others, *rest, *log]


def over_mail(over: Sequence[Mailed], *, prefix: str, zone: tzinfo) -> tuple[str, list[str]]:
    """Return the subject and the paragraphs of one mail about the end of some alarms; times are in a zone."""
    ends = [f"{one.over}; the alarm was of {zoned(one.since.astimezone(zone))}." for one in over[:_LISTED]]
    rest = [f"And {len(over) - _LISTED} more."] if len(over) > _LISTED else []
    return _subject(prefix, f"RESOLVED · {over[0].over}", over[1:]), [*ends, *rest]


def _subject(prefix: str, title: str, more: Sequence[object]) -> str:
    return f"[{visible(prefix)}] {title}{f' · and {len(more)} more' if more else ''}"


def as_text(paragraphs: Sequence[str]) -> str:
    """Return a mail as plain text; no line breaks a link."""
    wrapped = textwrap.TextWrapper(_WIDTH, break_on_hyphens=False, break_long_words=False)
    return "\n\n".join(map(wrapped.fill, paragraphs)) + "\n"


def as_html(paragraphs: Sequence[str]) -> str:
    """Return a mail as HTML."""
    shown = "\n".join(f"<p>{html.escape(one)}</p>" for one in paragraphs)
    return f'<!DOCTYPE html>\n<html lang="en">\n<body>\n{shown}\n</body>\n</html>\n'
