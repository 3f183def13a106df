"""Alarms name what happened and what to do, in plain text and HTML; each fact is mailed once."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from include.report.alarm import (
    KEPT,
    Alarm,
    Mailed,
    VmOnHost,
    alarm_mail,
    as_html,
    as_text,
    damaged,
    how_to_thaw,
    new_ones,
    over_mail,
    reread_differs,
    vault_gone,
    vm_down,
    what_to_do,
    with_mailed,
    worker_gone,
    worker_key,
)
from tests.include.vms.sample_vms import UUID

URL = "http://airflow.institute.example/dags/vm_weekly/runs/scheduled__2026-11-29T05:00:00/tasks/begin_backup"
URI = "qemu+unix:///system?socket=/run/x"
REASON = "maq2 isn't seen to run <again>: no port answers."
NOW = datetime(2026, 11, 29, 5, tzinfo=UTC)


def down(run: str = "r1", vm: str = "maq2", reason: str = REASON) -> Alarm:
    """Return the alarm about a VM."""
    return vm_down(VmOnHost(vm, UUID, "kvm_host", URI), reason, run)


def test_the_subject_is_in_the_words_of_the_reports() -> None:
    """A mail filter for one finds both."""
    subject, _ = alarm_mail([down()], prefix="INPE backup", log_url=None)
    assert subject == "[INPE backup] VM DOWN · maq2 did not come back"


def test_images_that_may_be_wrong_are_named() -> None:
    """Each run that finds it is a fact of its own."""
    how = "Chunk 5 of vda counted as unchanged, and differs. Suspect: 2026-11-22T05-00-03Z."
    first, again = (reread_differs("maq2", how, run) for run in ("r1", "r2"))
    subject, paragraphs = alarm_mail([first], prefix="x", log_url=None)
    assert subject == "[x] SUSPECT IMAGES · maq2 had changed where its host's file system showed no change"
    assert paragraphs[0] == f"maq2: {how}"
    remembered = with_mailed({}, [first], NOW)
    assert (new_ones([first], remembered), new_ones([again], remembered)) == ([], [again])


def test_the_text_says_what_to_do_first() -> None:
    """Then why, then what the run does, then where to read on; no line breaks a link."""
    _, paragraphs = alarm_mail([down()], prefix="INPE backup", log_url=URL)
    assert paragraphs == [
        what_to_do(VmOnHost("maq2", UUID, "kvm_host", URI)),
        REASON,
        "This run stops no other VM of that host. Its report will repeat this alarm.",
        f"Log: {URL}",
    ]
    assert URL in as_text(paragraphs)
    assert max(map(len, as_text(paragraphs[:3]).splitlines())) <= 78


@pytest.mark.parametrize("state", ["shut off", "paused"])
def test_each_state_of_a_vm_that_is_down_has_its_command(state: str) -> None:
    """It asks the host's own libvirt, whoever types it; a paused VM can't be started."""
    said, command = what_to_do(VmOnHost("maq2", UUID, "kvm_host", URI)), _COMMANDS[state]
    assert "on the host of connection kvm_host, " in said
    assert f"`virsh -c 'qemu+unix:///system?socket=/run/x' domstate {UUID}` shows its state." in said
    assert f"f it is {state}, `virsh -c 'qemu+unix:///system?socket=/run/x' {command} {UUID}`" in said


_COMMANDS = {"shut off": "start", "paused": "resume"}


def test_a_frozen_vm_is_resumed_before_it_is_thawed() -> None:
    """While it's paused, its guest agent can't answer."""
    said = how_to_thaw(VmOnHost("maq2", UUID, "kvm_host", "qemu:///system"))
    resume, thaw = (f"`virsh -c qemu:///system {word} {UUID}`" for word in ("resume", "domfsthaw"))
    assert 0 < said.index(resume) < said.index(thaw)
    assert "on the host of connection kvm_host, " in said


def test_the_html_escapes_what_comes_from_outside() -> None:
    """A VM's name and libvirt's messages are any text."""
    _, paragraphs = alarm_mail([down(vm="<b>maq2</b>")], prefix="x", log_url=None)
    assert "<b>" not in as_html(paragraphs)
    assert "isn&#x27;t seen to run &lt;again&gt;" in as_html(paragraphs)


def test_a_name_cant_break_the_subject() -> None:
    """It is one printable line."""
    subject, _ = alarm_mail([down(vm="maq2\nBcc: x@y.z")], prefix="INPE backup", log_url=None)
    assert "\n" not in subject


def test_a_missing_worker_is_another_fact_than_a_missing_disk() -> None:
    """Each is over when somebody sees that."""
    gone = worker_gone("vault", "No worker serves the queue vault.")
    assert gone.key == worker_key("vault") != vault_gone("vault", "No marker.").key
    assert gone.title == "WORKER GONE · nobody serves the vault's queue vault"
    assert gone.sentences[0] == "No worker serves the queue vault."


def test_a_fact_is_new_once() -> None:
    """For a VM once per run: it ran in between, else no run would have stopped it."""
    remembered = with_mailed({}, [down(), vault_gone("/vault", "No marker.")], NOW)
    again = [down(), vault_gone("/vault", "No marker, as before.")]
    assert new_ones(again, remembered) == []
    assert new_ones([*again, down("r2"), down("r2")], remembered) == [down("r2")]


def test_many_facts_at_once_are_one_mail() -> None:
    """A disk that dies may damage a thousand backups."""
    many = [damaged(f"2026-{day:03d}", "checksum mismatch.") for day in range(1, 101)]
    subject, paragraphs = alarm_mail(many, prefix="x", log_url=None)
    assert subject == "[x] DAMAGE · 2026-001 no longer matches its checksums · and 99 more"
    assert (len(paragraphs), paragraphs[-1]) == (2 + 20 + 1, "And 79 more.")


def test_the_end_of_a_fact_is_mailed_with_its_beginning() -> None:
    """Another mail with the same words, to those who got the first."""
    remembered = with_mailed({}, [down()], NOW)
    subject, paragraphs = over_mail(list(remembered.values()), prefix="x", zone=ZoneInfo("America/Sao_Paulo"))
    assert subject == "[x] RESOLVED · maq2 is back"
    assert paragraphs == ["maq2 is back; the alarm was of 2026-11-29 02:00 UTC-3."]


def test_what_nobody_ends_is_forgotten() -> None:
    """Such as a VM that was removed: what is remembered doesn't grow for ever."""
    old = {"vm gone": Mailed(since=NOW - KEPT - timedelta(days=1), over="gone is back")}
    assert list(with_mailed(old, [down()], NOW)) == [down().key]
