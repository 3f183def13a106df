"""Mail alarms at once, from the tasks that find them: each fact once, and again when it's over.

What was mailed is remembered in the Airflow variable ``inpe_backup_alarms``, in Airflow's database: the vault
may be what is gone. Tasks that alarm run on the machine of the vault, where a kernel lock keeps two of them
apart. If the variable can't be read or written, the mail goes out all the same: better twice than never.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context, Variable

from include.config import site_file
from include.errors import VmNotBackError, VmNotThawedError
from include.report.alarm import (
    DAMAGE,
    REREAD,
    Alarm,
    Mailed,
    Remembered,
    VmOnHost,
    alarm_mail,
    damage_key,
    damaged,
    new_ones,
    over_mail,
    vault_key,
    vm_down,
    vm_frozen,
    with_mailed,
)
from include.report.delivery import Delivery
from include.vault.vault import Vault
from inpe_backup import task_lock
from inpe_backup.choices import NO_VALUE
from inpe_backup.only_logged import only_logged
from inpe_backup.report_mail import send_paragraphs

VARIABLE = "inpe_backup_alarms"
_LOCK_S = 300.0  # in which any other task has mailed
_DESCRIPTION = "Alarms that were mailed and aren't over, by key. Delete it, and what goes on is mailed again."


class AlarmVariable:
    """What is remembered of alarms, in an Airflow variable."""

    def read(self) -> dict[str, Mailed]:
        """Return the alarms that were mailed and aren't over."""
        stored = Variable.get(VARIABLE, default=NO_VALUE)
        return {key: Mailed.model_validate(mailed) for key, mailed in json.loads(stored).items()}

    def write(self, remembered: Remembered) -> None:
        """Replace what is remembered."""
        stored = {key: mailed.model_dump(mode="json") for key, mailed in remembered.items()}
        Variable.set(VARIABLE, json.dumps(stored, indent=1).ljust(len(NO_VALUE)), description=_DESCRIPTION)


MEMORY = AlarmVariable()


def mail_alarms(context: Context, log: Any, alarms: Sequence[Alarm], *, anew: bool = False) -> None:  # noqa: ANN401 - Airflow's logger
    """Mail those alarms that weren't mailed yet, in one mail; an error is only logged.

    Args:
        context: of the task.
        log: the task's log.
        alarms: the facts.
        anew: whether they happened just now, and are mailed whatever is remembered.
    """
    if not alarms:
        return
    with only_logged(log, "The alarm couldn't be mailed. The run's report will repeat it."), _alone():
        remembered = _remembered(log)
        if new := new_ones(alarms, {} if anew else remembered or {}):
            _send(new[0].key, *alarm_mail(new, prefix=_prefix(), log_url=context["ti"].log_url))
            log.warning("Mailed: %s", "; ".join(alarm.title for alarm in new))
            if remembered is not None:  # else older alarms would be forgotten
                MEMORY.write(with_mailed(remembered, new, datetime.now(UTC)))


def mail_ends(log: Any, is_over: Callable[[str], bool]) -> None:  # noqa: ANN401 - as above
    """Mail the end of those alarms that are over, in one mail; an error is only logged.

    Args:
        log: the task's log.
        is_over: whether the alarm with a key is over.
    """
    with only_logged(log, "The end of an alarm couldn't be mailed."):
        if not any(map(is_over, MEMORY.read())):
            return  # as nearly always, without waiting for a task that is mailing
        with _alone():
            _mail_ends(is_over)


def _mail_ends(is_over: Callable[[str], bool]) -> None:
    remembered = MEMORY.read()
    if over := {key: mailed for key, mailed in remembered.items() if is_over(key)}:
        _send(
            min(over),
            *over_mail(list(over.values()), prefix=_prefix(), zone=site_file.current().institute.zone),
        )
        MEMORY.write({key: mailed for key, mailed in remembered.items() if key not in over})


def settle(context: Context, log: Any, vault: Vault, *, look_for_damage: bool) -> None:  # noqa: ANN401 - as above
    """Mail which alarms about a vault are over, now that it's open; an error is only logged.

    Args:
        context: of the task.
        log: the task's log.
        vault: the vault.
        look_for_damage: whether to look for damage that wasn't mailed, too, such as a restore finds.
    """
    with only_logged(log, "Whether alarms are over wasn't checked."):
        keys, damage = _remembered(log) or {}, dict[str, str]()
        if look_for_damage or any(key.startswith(DAMAGE) for key in keys):
            from include.scrub.backups import still_damaged  # noqa: PLC0415 - takes 50 ms, and few tasks need it

            damage = still_damaged(vault)
        if look_for_damage:
            mail_alarms(context, log, [damaged(name, how) for name, how in damage.items()])
        still = {damage_key(name) for name in damage}
        over = {vault_key(site_file.current().vault.path), *_trusted_again(vault, keys)}
        if keys:
            mail_ends(log, lambda key: key in over or (key.startswith(DAMAGE) and key not in still))


def _trusted_again(vault: Vault, keys: Iterable[str]) -> Iterator[str]:
    """Yield the keys of alarms about VMs whose disks needn't be read whole any more."""
    if own := [key for key in keys if key.startswith(REREAD)]:
        from include.vms.archive import VmArchive  # noqa: PLC0415 - as still_damaged above
        from include.vms.distrust import distrust_file  # noqa: PLC0415 - as still_damaged above

        archive = VmArchive(vault)
        yield from (key for key in own if not distrust_file(archive, key.removeprefix(REREAD)).exists())


@contextmanager
def alarm_mailed(
    context: Context,
    ssh_conn_id: str,
    vm: Mapping[str, Any],
    log: Any,  # noqa: ANN401 - as above
    *,
    stops: bool,
) -> Iterator[None]:
    """Mail an alarm if the block finds that the VM isn't seen to run, or to be thawed; the error goes on.

    Args:
        context: of the task.
        ssh_conn_id: the connection of the VM's host.
        vm: its ``name`` and ``uuid``.
        log: the task's log.
        stops: whether the block stops the VM: a fact of its own each time, as Airflow doesn't try it again by
            itself after this error, but somebody may have started the VM and cleared the task.

    Raises:
        VmNotBackError: as the block raised it, whether the mail could be sent or not.
    """
    try:
        yield
    except VmNotBackError as error:
        alarm = vm_frozen if isinstance(error, VmNotThawedError) else vm_down
        run = context["dag_run"].run_id
        found = alarm(vm_on_host(ssh_conn_id, vm), str(error), run)
        mail_alarms(context, log, [found], anew=stops)
        raise


def vm_on_host(ssh_conn_id: str, vm: Mapping[str, Any]) -> VmOnHost:
    """Return a VM, given as its ``name`` and ``uuid``, as an alarm names it."""
    return VmOnHost(vm["name"], vm["uuid"], ssh_conn_id, site_file.current().vms.uri(ssh_conn_id))


def _remembered(log: Any) -> dict[str, Mailed] | None:  # noqa: ANN401 - as above
    """Return what is remembered; None if it can't be read."""
    try:
        return MEMORY.read()
    except Exception:
        log.exception("The variable %s can't be read; an alarm may be mailed twice.", VARIABLE)
        return None


def _alone() -> AbstractContextManager[None]:
    """Keep other tasks of this machine out; without the lock, an alarm may be mailed twice."""
    return task_lock.locked("alarms", _LOCK_S)


def _prefix() -> str:
    return site_file.current().mail.subject_prefix


def _send(key: str, subject: str, paragraphs: Sequence[str]) -> None:
    """Mail an alarm, or its end, in the thread of its key."""
    mail = site_file.current().mail
    send_paragraphs(subject, paragraphs, thread=f"alarm-{key}", delivered=Delivery(mail.to, mail.cc))
