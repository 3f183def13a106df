"""The alarm names the VM, what to do and where it is logged, in plain text and HTML."""

from include.report.alarm import Alarm, alarm_html, alarm_subject, alarm_text, what_to_do
from tests.include.vms.sample_vms import UUID

URL = "http://airflow.institute.example/dags/vm_weekly/runs/scheduled__2026-11-29T05:00:00/tasks/begin_backup"
ALARM = Alarm(
    vm="maq2",
    host="kvm_host",
    uuid=UUID,
    reason="maq2 isn't seen to run <again>: no port answers.",
    log_url=URL,
)


def test_the_subject_is_in_the_words_of_the_reports() -> None:
    """A mail filter for one finds both."""
    assert alarm_subject(ALARM, prefix="INPE backup") == "[INPE backup] VM DOWN · maq2 did not come back"


def test_the_text_says_what_to_do_first() -> None:
    """Then why, then what the run does, then where to read on; no line breaks a link."""
    paragraphs = [" ".join(part.split()) for part in alarm_text(ALARM).split("\n\n")]
    assert paragraphs == [
        what_to_do("maq2", "kvm_host", UUID),
        "maq2 isn't seen to run <again>: no port answers.",
        "This run stops no other VM of kvm_host. Its report will repeat this alarm.",
        f"Log: {URL}",
    ]
    assert URL in alarm_text(ALARM)


def test_the_html_escapes_what_comes_from_outside() -> None:
    """A VM's name and libvirt's messages are any text."""
    hostile = ALARM.model_copy(update={"vm": "<b>maq2</b>"})
    assert "<b>" not in alarm_html(hostile)
    assert "isn&#x27;t seen to run &lt;again&gt;" in alarm_html(hostile)


def test_a_name_cant_break_the_subject() -> None:
    """It is one printable line."""
    hostile = Alarm(vm="maq2\nBcc: x@y.z", host="kvm_host", uuid=UUID, reason="", log_url=None)
    assert "\n" not in alarm_subject(hostile, prefix="INPE backup")
