"""Mail the alarm that a VM didn't come back at once, from the task that found it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow.sdk import Context

from include.config import site_file
from include.errors import VmNotBackError
from include.report.alarm import Alarm, alarm_html, alarm_subject, alarm_text
from inpe_backup.mail_hook import TwoFormsHook


@contextmanager
def alarm_mailed(context: Context, ssh_conn_id: str, vm: Mapping[str, Any], log: Any) -> Iterator[None]:  # noqa: ANN401 - Airflow's logger
    """Mail an alarm if the block finds that the VM isn't seen to run; the error goes on.

    Args:
        context: of the task.
        ssh_conn_id: the connection of the VM's host.
        vm: its ``name`` and ``uuid``.
        log: the task's log.

    Raises:
        VmNotBackError: as the block raised it, whether the mail could be sent or not.
    """
    try:
        yield
    except VmNotBackError as error:
        url = context["ti"].log_url
        alarm = Alarm(vm=vm["name"], host=ssh_conn_id, uuid=vm["uuid"], reason=str(error), log_url=url)
        try:
            _send(alarm)
        except Exception:  # the error itself mustn't be lost, whatever the mail server does
            log.exception("The alarm couldn't be mailed. The run's report will repeat it.")
        raise


def _send(alarm: Alarm) -> None:
    mail = site_file.current().mail
    with TwoFormsHook(mail.smtp_conn_id, text=alarm_text(alarm), thread=f"vm-down-{alarm.uuid}") as hook:
        hook.send_email_smtp(
            to=mail.to,
            cc=mail.cc,
            subject=alarm_subject(alarm, prefix=mail.subject_prefix),
            html_content=alarm_html(alarm),
            from_email=hook.from_email,
            mime_subtype="alternative",
        )
