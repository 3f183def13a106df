"""The README's set-up for production, typed as it stands."""

import json
import shlex
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.dags import contents, wait_for
from tests.dags.production import PATIENCE_S, published, restore, run, run_of, write_day
from tests.dags.site_faults import Standstill
from tests.plugins.ui.page import cell, open_framed
from tests.session import needs
from tests.site import supim
from tests.site.browser import Browser
from tests.site.production import BackupMachine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.worker_group("production"),
    pytest.mark.timeout(1800),  # `up` takes minutes while a machine is busy
]

DAYS = ["2026-020", "2026-021", "2026-022"]
BYTE_CODE = """import os, airflow, include.config as own
from importlib.util import cache_from_source as cached
print([os.stat(cached(module.__file__)).st_uid for module in (os, airflow, own)])"""
expect.set_options(timeout=60_000)


def test_all_services_are_healthy_and_of_one_image(machine: BackupMachine) -> None:
    """A plain ``up`` afterwards changes nothing: each container goes on."""
    ids = machine.type("docker compose ps --quiet")
    states = [json.loads(line) for line in machine.type("docker compose ps --format json").splitlines()]
    assert {state["Health"] for state in states} == {"healthy"}
    assert {state["Image"].partition(":")[0] for state in states} == {"inpe-backup-airflow", "postgres"}
    machine.type("docker compose up --detach --wait")
    assert machine.type("docker compose ps --quiet") == ids


def test_byte_code_is_part_of_the_image(machine: BackupMachine) -> None:
    """That of Python and of Airflow; the project's is written when it is loaded first."""
    owners = machine.type(f"docker compose exec -T scheduler python -c {shlex.quote(BYTE_CODE)}")
    assert json.loads(owners) == [0, 0, int(machine.settings["AIRFLOW_UID"])]


def test_a_day_a_backfill_and_their_mails(machine: BackupMachine) -> None:
    """On PostgreSQL: the first runs are several at once, and all publish the same new assets."""
    for day in DAYS:
        write_day(machine, day)
    api = machine.api()
    api.unpause("supim_daily")
    api.backfill("supim_daily", "2026-01-21", "2026-01-22")
    assert run(machine, DAYS[0]) == "success"
    wait_for(lambda: all(published(machine, day).is_dir() for day in DAYS), "three days", PATIENCE_S)
    api.wait_until_idle(PATIENCE_S)
    # Switched on, it has also begun with the newest day due, which this source lacks.
    assert {run["state"] for run in api.runs("supim_daily") if run["partition_key"] in DAYS} == {"success"}
    source = machine.institute.source / "2026" / "020"
    assert contents(published(machine, DAYS[0])) == contents(source)
    assert published(machine, DAYS[0]).stat().st_uid == int(machine.settings["AIRFLOW_UID"])
    assert any("2026-020 OK" in str(mail["Subject"]) for mail in machine.institute.mail.mails())
    states = [
        task
        for run in api.runs("supim_daily")
        for task in api.task_instances("supim_daily", run["dag_run_id"])
    ]
    assert {task["state"] for task in states if task["task_id"] == "refresh_status"} == {"success"}


def test_the_page_shows_the_days(machine: BackupMachine, browser: Browser) -> None:
    """To whoever logs in as admin; a click on a day opens what is known of it."""
    frame = open_framed(browser.log_in_to(machine.api()), machine.api())
    for day in DAYS:
        cell(frame, day).click()
        expect(frame.get_by_role("dialog")).to_contain_text(f"{day} · verified")
        frame.get_by_role("dialog").press("Escape")


def test_a_vm_is_backed_up_and_boots_from_its_image(machine: BackupMachine) -> None:
    """On a real KVM host, where that can run; the site file has no checks for boot tests."""
    if missing := needs.lacks_kvm_host():
        needs.skip_or_fail(missing)
    host = machine.institute.kvm_host
    host.define("maq1", {"vda": "raw"})
    host.boot("maq1")
    for dag in ("vm_weekly", "vm_boot_test"):
        machine.api().unpause(dag)
        assert run_of(machine, dag) == "success"
    assert "guest: boot 2" in host.console("maq1")
    listed = machine.type("docker compose exec -T scheduler inpe-backup list")
    assert "maq1" in listed
    assert any("BOOT TEST OK" in str(mail["Subject"]) for mail in machine.institute.mail.mails())


def test_a_killed_scheduler_loses_nothing(machine: BackupMachine) -> None:
    """Docker starts it again, and the day that was being copied is published once."""
    write_day(machine, "2026-030", supim.DEMO)
    api = machine.api()
    api.unpause("supim_daily")
    staged = machine.path("/backup/vault/.staging")
    with Standstill(machine.institute.cluster):
        begun = api.trigger("supim_daily", "2026-030")
        wait_for(lambda: any(staged.rglob("data.dat.2026.30.*")), "a copy", PATIENCE_S)
        machine.kill("scheduler")
    assert api.wait_for_run("supim_daily", begun["dag_run_id"], PATIENCE_S)["state"] == "success"
    assert contents(published(machine, "2026-030")) == contents(machine.institute.source / "2026" / "030")


def test_a_restore_is_found_on_the_machine_and_one_inside_the_container_is_refused(
    machine: BackupMachine,
) -> None:
    """A folder of the container would be gone after the next ``up``; restores by hand need no switch."""
    write_day(machine, "2026-040")
    machine.api().unpause("supim_daily")
    assert run(machine, "2026-040") == "success"
    assert restore(machine, "2026-040", "/backup/restored") == "success"
    assert contents(machine.path("/backup/restored/2026/040")) == contents(published(machine, "2026-040"))
    assert restore(machine, "2026-040", "/srv/restored") == "failed"
    listed = machine.type("docker compose exec -T scheduler inpe-backup list")
    assert "2026-040" in listed
    inside = (
        "docker compose run --rm --no-deps -T scheduler inpe-backup restore-day --to /srv/restored 2026-040"
    )
    assert "/backup/restored" in machine.type(inside, check=False)


def test_a_database_made_anew_learns_what_the_vault_has(machine: BackupMachine) -> None:
    """After ``down --volumes``, the next run sees what is there."""
    write_day(machine, "2026-050")
    machine.api().unpause("supim_daily")
    assert run(machine, "2026-050") == "success"
    machine.type("docker compose down --volumes && docker compose up --detach --wait")
    machine.api().unpause("supim_daily")
    assert run(machine, "2026-050") == "success"
    assert not published(machine, "2026-050.r2").exists()


def test_a_wrong_site_file_is_an_import_error_until_it_is_mended(machine: BackupMachine) -> None:
    """Within a minute, without a restart."""
    machine.write_site_file(scrub={"max_age_days": "soon"})
    api = machine.api()

    def errors() -> str:
        found = api.api("GET", "/importErrors")["import_errors"]
        return "\n".join(error["stack_trace"] for error in found)

    wait_for(lambda: "max_age_days" in errors(), "an import error", PATIENCE_S)
    machine.write_site_file()
    wait_for(lambda: not errors(), "no import error", PATIENCE_S)


def test_a_vault_that_isnt_there_stops_the_scheduler_and_an_empty_one_the_run(machine: BackupMachine) -> None:
    """Neither becomes a folder that nobody looks into."""
    machine.type("docker compose stop scheduler && mv /backup/vault /backup/away")
    absent = machine.type("docker compose up --detach scheduler --force-recreate", check=False)
    assert "/backup/vault" in absent
    assert not machine.path("/backup/vault").exists()
    machine.type("install -d -o backup-airflow -g backup-airflow /backup/vault")
    machine.type("docker compose up --detach --wait")
    write_day(machine, "2026-060")
    machine.api().unpause("supim_daily")
    assert run(machine, "2026-060") == "failed"
    machine.type("docker compose stop scheduler && rmdir /backup/vault && mv /backup/away /backup/vault")
    machine.type("docker compose up --detach --wait --force-recreate scheduler")
    assert run(machine, "2026-060") == "success"


def test_a_disk_mounted_later_is_seen(machine: BackupMachine) -> None:
    """Mounts are propagated to the running scheduler."""
    machine.type("mount -t tmpfs tmpfs /backup/restored && touch /backup/restored/on-the-disk")
    seen = machine.type("docker compose exec -T scheduler ls /backup/restored")
    machine.type("umount /backup/restored")
    assert "on-the-disk" in seen


def test_nothing_of_it_is_on_this_machine() -> None:
    """Its users, folders and rules are its own."""
    assert not Path("/etc/inpe-backup").exists()
    assert subprocess.run(["id", "backup-airflow"], capture_output=True, check=False).returncode
