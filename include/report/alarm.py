"""The alarm that a VM didn't come back: a mail of its own, long before the run's report repeats it."""

import html
import textwrap

from include.models import Model
from include.results.states import Text
from include.text import visible

_WIDTH = 78


class Alarm(Model):
    """A VM that isn't seen to run.

    Args:
        vm: its name.
        host: the Airflow connection of its host.
        uuid: by which the host identifies it.
        reason: what the host says.
        log_url: the log of the task that found it.
    """

    vm: Text
    host: Text
    uuid: Text
    reason: Text
    log_url: Text | None


def what_to_do(vm: str, host: str, uuid: str) -> str:
    """Return what somebody must do about a VM that didn't come back, in sentences."""
    return (
        f"{vm} did not come back. Check it now: on {host}, `virsh domstate {uuid}` shows its state and "
        f"`virsh start {uuid}` starts it."
    )


def alarm_subject(alarm: Alarm, *, prefix: str) -> str:
    """Return the mail's subject, in the words of the report's."""
    return f"[{visible(prefix)}] VM DOWN · {alarm.vm} did not come back"


def alarm_text(alarm: Alarm) -> str:
    """Return the mail as plain text."""
    wrapped = textwrap.TextWrapper(_WIDTH, break_on_hyphens=False, break_long_words=False)
    return "\n\n".join(map(wrapped.fill, _paragraphs(alarm))) + "\n"


def alarm_html(alarm: Alarm) -> str:
    """Return the mail as HTML."""
    paragraphs = "\n".join(f"<p>{html.escape(one)}</p>" for one in _paragraphs(alarm))
    return f'<!DOCTYPE html>\n<html lang="en">\n<body>\n{paragraphs}\n</body>\n</html>\n'


def _paragraphs(alarm: Alarm) -> list[str]:
    rest = f"This run stops no other VM of {alarm.host}. Its report will repeat this alarm."
    log = [f"Log: {alarm.log_url}"] if alarm.log_url else []
    return [what_to_do(alarm.vm, alarm.host, alarm.uuid), alarm.reason, rest, *log]
