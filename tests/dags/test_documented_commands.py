"""The commands of the README and docs/ do what is written beside them, on real parts."""

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from include.ordinal_day import OrdinalDay
from include.vault.vault import Vault
from tests.dags import GREEN, Daily, Run, contents
from tests.dags.documents import LOST, VAULT, blocks, commands, run, shown_of, without_figures
from tests.dags.weekly_runs import Weekly
from tests.include.restore.day_restores import publish_folder
from tests.include.vms import sample_vms
from tests.session import needs
from tests.site import supim


@pytest.mark.worker_group("days")
def test_a_day_is_verified_and_restored_by_hand(daily: Daily, tmp_path: Path) -> None:
    """The commands under "Restore", typed one after the other, give back what the source had."""
    day = OrdinalDay.parse("2026-268")
    source = supim.write_day(daily.institute.source, day)
    daily.run(str(day))
    restored = tmp_path / "restored-268"
    [typed] = [block for block in blocks("sh") if "restored-268" in block]
    typed = typed.replace(VAULT, str(daily.institute.vault)).replace("/tmp/restored-268", str(restored))

    done = run(typed)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert contents(restored) == contents(source)


@pytest.mark.slow
@pytest.mark.worker_group("days")
def test_a_day_is_restored_by_the_command_of_the_web_ui(daily: Daily, tmp_path: Path) -> None:
    """The form's fields, typed: the day lies at the other host as it was."""
    source = daily.write("2026-268")
    publish_folder(daily.vault, source, OrdinalDay.parse("2026-268"))
    [command] = [line for line in commands() if line.startswith("airflow dags trigger supim_restore")]
    typed = shlex.split(command.replace("/data/restored", str(tmp_path / "restored")))
    daily.airflow.unpause("supim_restore")

    assert daily.airflow.cli(*typed[1:]).returncode == 0
    [facts] = [run for run in daily.airflow.runs("supim_restore") if str(tmp_path) in str(run["conf"])]
    assert Run(daily.airflow, daily.institute, facts["dag_run_id"], "supim_restore").end() == GREEN
    assert contents(tmp_path / "restored" / "2026" / "268") == contents(source)


def test_a_day_is_restored_from_a_terminal_without_airflow(tmp_path: Path) -> None:
    """The command as it's typed, by a Python that has no Airflow to import."""
    vault = Vault.create(tmp_path / "vault")
    source = supim.write_day(tmp_path / "source", OrdinalDay.parse("2026-268"))
    publish_folder(vault, source, OrdinalDay.parse("2026-268"))
    [command] = [line for line in commands() if line.startswith("bin/inpe-backup restore-day")]
    (tmp_path / "airflow.py").write_text("raise ImportError('there is no Airflow here')\n")
    typed = command.replace(VAULT, str(vault.root))

    done = run(typed.replace("/tmp/restored", f"{tmp_path}/restored"), PYTHONPATH=str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "restored" / "2026" / "268") == contents(source)
    assert "2026-268 restored. " in done.stdout


def test_an_image_is_protected_from_a_terminal(tmp_path: Path) -> None:
    """And the protection lifted, both by the commands as they're typed."""
    vault = Vault.create(tmp_path / "vault")
    image = sample_vms.lay(vault)
    typed = [line for line in commands() if "protect maq1" in line]

    protected, lifted = [run(f"{line} --vault {vault.root}") for line in typed]

    assert (protected.returncode, lifted.returncode) == (0, 0)
    assert f"maq1 {image.name} is protected by " in protected.stdout
    assert f"maq1 {image.name} is no longer protected by " in lifted.stdout


@pytest.mark.slow
@pytest.mark.worker_group("vms")
def test_a_vms_images_are_restored_from_a_terminal(weekly: Weekly, tmp_path: Path) -> None:
    """In their own formats, with all that the vault keeps of the VM."""
    generation = weekly.images()["maq1"]
    [command] = [line for line in commands() if line.startswith("bin/inpe-backup restore-vm")]
    typed = command.replace(VAULT, str(weekly.institute.vault))

    done = run(typed.replace("/tmp/restored-maq1", f"{tmp_path}/restored"))

    assert done.returncode == 0, done.stderr
    restored = {path.name: path for path in (tmp_path / "restored").iterdir()}
    assert {"domain.xml"} < restored.keys()
    [raw] = [path for name, path in restored.items() if name.startswith("vda")]
    same = run(f"qemu-img compare -f raw -F raw {raw} {generation.image('vda')}")
    assert same.returncode == 0, same.stdout


@pytest.mark.slow
@pytest.mark.worker_group("vms")
def test_a_lost_vm_is_restored_by_hand(weekly: Weekly, tmp_path: Path) -> None:
    """The commands under "Restore", typed one after the other, and the VM boots from its image."""
    generation, host = weekly.images()["maq1"], weekly.host
    boots = subprocess.run(
        ["debugfs", "-R", "cat /boots", str(generation.image("vda"))], capture_output=True, check=True
    ).stdout
    for words in (["destroy"], ["undefine"]):
        host.virsh(*words, "--domain=maq1")
    there = {f"/vms/maq1{name}": host.disk("maq1", disk) for name, disk in LOST.items()}
    for disk in there.values():
        disk.unlink()
    [verifying] = [block for block in blocks("sh") if "root@kvm" in block]
    [restoring] = [block for block in blocks("sh") if "virsh define" in block]
    for path, disk in there.items():
        restoring = restoring.replace(path, str(disk))
    moved = verifying.replace(f"{VAULT}/vm/maq1/2026-11-22T05-00-03Z", str(generation.folder))

    done = run(moved.replace("root@kvm.institute.example:/var/tmp/maq1/", f"{tmp_path}/maq1/"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    host.run("bash", "-ec", f"cd {tmp_path}/maq1\n{restoring}")

    assert f"guest: boot {int(boots) + 1}" in weekly.boots("maq1")


@pytest.mark.slow
@pytest.mark.worker_group("days")
def test_the_terminal_does_what_the_web_ui_does(daily: Daily) -> None:
    """The backfill command runs each day of its range; the clear command runs one of them again."""
    days = ["2008-364", "2008-365", "2008-366", "2009-001", "2009-002"]
    daily.write(*days)
    [backfill] = [line for line in commands() if line.startswith("airflow backfill")]
    [clear] = [line for line in commands() if line.startswith("airflow dags clear")]

    assert daily.airflow.cli(*backfill.split()[1:]).returncode == 0
    runs = {one.day: one for one in daily.runs("backfill") if one.day in days}
    assert sorted(runs) == days
    assert [runs[day].end() for day in days] == [GREEN] * len(days)

    assert daily.airflow.cli(*clear.split()[1:]).returncode == 0
    runs["2008-366"].reach("choose_days", "queued", "running", "success")
    assert runs["2008-366"].end() == GREEN
    assert len(daily.revisions("2008-366")) == 1


@pytest.mark.slow
@pytest.mark.worker_group("demo")
@pytest.mark.timeout(900)
def test_the_demo_ends_by_itself_with_every_run_green(tmp_path: Path) -> None:
    """``make demo ONCE=1`` on an empty folder: days copied, mails sent, status 0, nothing left running."""
    needs.kvm_host()
    folder = tmp_path / "demo"
    done = run(f"make demo ONCE=1 DEMO={shlex.quote(str(folder))}")

    assert done.returncode == 0, done.stdout + done.stderr
    printed = without_figures(done.stdout.replace(str(folder), ".demo"))
    assert [line for line in shown_of("make demo ONCE=1") if without_figures(line) not in printed] == []
    assert {path.name for path in (folder / "vault" / "vm").iterdir()} == {"maq1", "maq2", "maq3"}
    logs = (folder / "airflow" / "logs").glob("dag_id=*/**/*.log")
    lines = [json.loads(line) for path in logs for line in path.read_text("utf-8").splitlines()]
    loud = [line for line in lines if line["level"] not in ("debug", "info")]
    assert [line for line in loud if "inpe_backup" not in line["logger"]] == [], "warnings that aren't ours"
