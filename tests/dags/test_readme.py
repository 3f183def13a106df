"""The README is true: its commands run, its files are the project's, its messages are the code's."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bench.table import markdown
from include.ordinal_day import OrdinalDay
from include.vault import MARKER, Vault
from tests.dags import GREEN, Daily, Run, contents
from tests.dags.weekly import Weekly
from tests.include.audit import kept
from tests.include.restore.work import publish_folder
from tests.site import supim
from tests.site.airflow_home import PROJECT

README = (PROJECT / "README.md").read_text(encoding="utf-8")
VAULT = "/backup/vault"
LOST = {".img": "vda", "-data.qcow2": "vdb"}


def blocks(language: str) -> list[str]:
    """Give the README's fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    """Give every command line of the README, without its comment."""
    lines = (line.split("  #")[0].strip() for block in blocks("sh") for line in block.splitlines())
    return [line for line in lines if line]


def run(command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a command line as a reader would type it in the project's folder."""
    return subprocess.run(
        ["bash", "-ec", command],
        cwd=PROJECT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


COVERED = {
    "make demo ONCE=1": "test_the_demo_ends_by_itself_with_every_run_green",
    "make test": "this very run",
    "make bench": "test_the_other_targets_exist",
    "make help": "test_the_other_targets_exist",
    "sudo ": "test_the_set_up_fits_the_compose_file",
    "install -m 600 env.example .env": "test_the_set_up_fits_the_compose_file",
    "docker compose ": "test_the_set_up_fits_the_compose_file",
    "python -m include.vault create /backup/vault": "test_the_vault_command_makes_a_vault_once",
    "airflow backfill create": "test_the_terminal_does_what_the_web_ui_does",
    "airflow dags clear": "test_the_terminal_does_what_the_web_ui_does",
    "cd /backup/vault/supim/2026": "test_a_day_is_proven_and_restored_by_hand",
    "(cd 268 && sha256sum --check --quiet ../268.sha256)": "test_a_day_is_proven_and_restored_by_hand",
    "cp -r --preserve=timestamps 268 /tmp/restored-268": "test_a_day_is_proven_and_restored_by_hand",
    "chmod -R u+w /tmp/restored-268": "test_a_day_is_proven_and_restored_by_hand",
    "airflow dags trigger restore_day": "test_a_day_is_restored_by_the_command_of_the_web_ui",
    "python -m include restore-day": "test_a_day_is_restored_from_a_terminal_without_airflow",
    "python -m include restore-machine": "test_a_machines_images_are_restored_from_a_terminal",
    "python -m include list": "test_what_is_typed_about_the_vault_says_what_is_in_it",
    "python -m include verify": "test_what_is_typed_about_the_vault_says_what_is_in_it",
    "make faults": "test_the_other_targets_exist",
    "cd /backup/vault/vm/maq1": "test_a_lost_machine_is_restored_by_hand",
    "sha256sum --check --quiet SHA256SUMS": "test_a_lost_machine_is_restored_by_hand",
    "rsync --recursive --sparse ./ ": "test_a_lost_machine_is_restored_by_hand",
    "qemu-img convert -f raw": "test_a_lost_machine_is_restored_by_hand",
    "virsh define domain.xml": "test_a_lost_machine_is_restored_by_hand",
    "virsh start maq1": "test_a_lost_machine_is_restored_by_hand",
}


def test_every_command_is_covered_by_a_test() -> None:
    """A command that is added to the README needs a test, and a name here."""
    known = tuple(COVERED)
    assert [command for command in commands() if not command.startswith(known)] == []
    assert [name for name in known if not any(command.startswith(name) for command in commands())] == []


def test_what_is_shown_of_the_site_file_is_in_it() -> None:
    """What a reader copies is what the project ships."""
    shipped = (PROJECT / "include" / "site.yaml").read_text(encoding="utf-8").splitlines()
    [shown] = blocks("yaml")
    assert [line for line in shown.splitlines() if line not in shipped] == []


def test_the_measurements_shown_are_the_last_ones() -> None:
    """The page of results is made from them, and the README's rows are the page's."""
    rows = json.loads((PROJECT / "bench" / "results.json").read_text(encoding="utf-8"))
    page = markdown(rows)
    assert (PROJECT / "bench" / "results.md").read_text(encoding="utf-8") == page
    shown = README.split("<!-- of: bench/results.md -->\n")[1].split("\n\n")[0].splitlines()
    assert len(shown) > 5
    assert [line for line in shown if line not in page.splitlines()] == []


@pytest.mark.parametrize(
    "message", re.findall(r"\*\*(.+?)\*\*", README.split("## When it fails")[1].split("\n## ")[0])
)
def test_each_message_is_one_that_the_code_says(message: str) -> None:
    """A reader who searches the README for what the report says finds it."""
    sources = [path.read_text() for room in ("include", "plugins") for path in (PROJECT / room).rglob("*.py")]
    said = re.sub(r'"\s+f?"', "", "\n".join(sources))  # sentences go on over the lines of the source
    assert message in said or message == "The run is red, yet everything was copied"


def test_the_vault_command_makes_a_vault_once(tmp_path: Path) -> None:
    """``python -m include.vault create`` marks an empty folder, and refuses a second time."""
    [command] = [line for line in commands() if line.startswith("python -m include.vault")]
    here = command.replace("python", sys.executable, 1).replace(VAULT, str(tmp_path / "vault"))

    assert run(here).returncode == 0
    assert (tmp_path / "vault" / MARKER).is_file()
    again = run(here)
    assert again.returncode == 1
    assert "isn't empty" in again.stderr


def test_what_is_typed_about_the_vault_says_what_is_in_it(tmp_path: Path) -> None:
    """About the site file's vault, if no other is named."""
    vault = Vault.create(tmp_path / "vault")
    site_file = tmp_path / "site.yaml"
    shipped = (PROJECT / "include" / "site.yaml").read_text(encoding="utf-8")
    site_file.write_text(shipped.replace(VAULT, str(vault.root)), encoding="utf-8")
    published = kept.day(vault)
    listing, verify = (
        line for line in commands() if line.startswith(("python -m include list", "python -m include verify"))
    )

    def typed(command: str) -> "subprocess.CompletedProcess[str]":
        return run(command.replace("python", sys.executable, 1), INPE_BACKUP_SITE=str(site_file))

    assert "2026-268" in typed(listing).stdout
    assert typed(verify).stdout.startswith("whole     2026-268")
    kept.flip(published.folder / "a")
    assert (typed(verify).returncode, typed(listing).returncode) == (1, 0)


def test_the_set_up_fits_the_compose_file() -> None:
    """No Docker engine is needed to know that they fit; test_compose.py does the rest."""
    compose = (PROJECT / "docker-compose.yaml").read_text(encoding="utf-8")
    services = yaml.safe_load(compose)["services"]
    typed = [line for line in commands() if line.startswith(("sudo", "install", "docker"))]
    assert all(path in "\n".join(typed) for path in ("/backup/vault", "/etc/inpe-backup", "env.example"))
    assert "/backup/vault" in compose
    assert (PROJECT / "env.example").is_file()
    [create] = [line for line in typed if " run " in line]
    assert create.split("--no-deps ")[1].split()[0] in services


def test_the_other_targets_exist() -> None:
    """``make help`` names what there is; what takes minutes is only asked what it would do."""
    listed = run("make help").stdout
    assert all(f"{target} " in listed for target in ("demo", "test", "bench", "lock"))
    assert "-m bench" in run("make --dry-run bench").stdout
    assert "tests/include/agent/test_faults.py" in run("make --dry-run faults").stdout
    assert "pytest" in run("make --dry-run test").stdout


@pytest.mark.xdist_group("airflow")
def test_a_day_is_proven_and_restored_by_hand(daily: Daily, tmp_path: Path) -> None:
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


@pytest.mark.xdist_group("airflow")
def test_a_day_is_restored_by_the_command_of_the_web_ui(daily: Daily, tmp_path: Path) -> None:
    """The form's fields, typed: the day lies at the other host as it was."""
    source = daily.write("2026-268")
    publish_folder(daily.vault, source, OrdinalDay.parse("2026-268"))
    [command] = [line for line in commands() if line.startswith("airflow dags trigger restore_day")]
    typed = shlex.split(command.replace("/data/restored", str(tmp_path / "restored")))
    daily.airflow.unpause("restore_day")

    assert daily.airflow.cli(*typed[1:]).returncode == 0
    [facts] = [run for run in daily.airflow.runs("restore_day") if str(tmp_path) in str(run["conf"])]
    assert Run(daily.airflow, daily.institute, facts["dag_run_id"], "restore_day").end() == GREEN
    assert contents(tmp_path / "restored" / "2026" / "268") == contents(source)


def test_a_day_is_restored_from_a_terminal_without_airflow(tmp_path: Path) -> None:
    """The command as it's typed, by a Python that has no Airflow to import."""
    vault = Vault.create(tmp_path / "vault")
    source = supim.write_day(tmp_path / "source", OrdinalDay.parse("2026-268"))
    publish_folder(vault, source, OrdinalDay.parse("2026-268"))
    [command] = [line for line in commands() if line.startswith("python -m include restore-day")]
    (tmp_path / "airflow.py").write_text("raise ImportError('there is no Airflow here')\n")
    typed = command.replace("python", sys.executable, 1).replace(VAULT, str(vault.root))

    done = run(typed.replace("/tmp/restored", f"{tmp_path}/restored"), PYTHONPATH=str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "restored" / "2026" / "268") == contents(source)
    assert "2026-268 restored. " in done.stdout


@pytest.mark.xdist_group("weekly")
def test_a_machines_images_are_restored_from_a_terminal(weekly: Weekly, tmp_path: Path) -> None:
    """In their own formats, with all that the vault keeps of the machine."""
    generation = weekly.images()["maq1"]
    [command] = [line for line in commands() if line.startswith("python -m include restore-machine")]
    typed = command.replace("python", sys.executable, 1).replace(VAULT, str(weekly.institute.vault))

    done = run(typed.replace("/tmp/restored-maq1", f"{tmp_path}/restored"))

    assert done.returncode == 0, done.stderr
    restored = {path.name: path for path in (tmp_path / "restored").iterdir()}
    assert {"domain.xml"} < restored.keys()
    [raw] = [path for name, path in restored.items() if name.startswith("vda")]
    same = run(f"qemu-img compare -f raw -F raw {raw} {generation.image('vda')}")
    assert same.returncode == 0, same.stdout


@pytest.mark.xdist_group("weekly")
def test_a_lost_machine_is_restored_by_hand(weekly: Weekly, tmp_path: Path) -> None:
    """The commands under "Restore", typed one after the other, and the machine boots from its image."""
    generation, host = weekly.images()["maq1"], weekly.host
    boots = subprocess.run(
        ["debugfs", "-R", "cat /boots", str(generation.image("vda"))], capture_output=True, check=True
    ).stdout
    for words in (["destroy"], ["undefine"]):
        host.virsh(*words, "--domain=maq1")
    there = {f"/vms/maq1{name}": host.disk("maq1", disk) for name, disk in LOST.items()}
    for disk in there.values():
        disk.unlink()
    [proving] = [block for block in blocks("sh") if "root@kvm" in block]
    [restoring] = [block for block in blocks("sh") if "virsh define" in block]
    for path, disk in there.items():
        restoring = restoring.replace(path, str(disk))
    moved = proving.replace(f"{VAULT}/vm/maq1/2026-11-22T05-00-03Z", str(generation.folder))

    done = run(moved.replace("root@kvm.institute.example:/var/tmp/maq1/", f"{tmp_path}/maq1/"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    host.run("bash", "-ec", f"cd {tmp_path}/maq1\n{restoring}")

    assert f"guest: boot {int(boots) + 1}" in weekly.boots("maq1")


@pytest.mark.xdist_group("airflow")
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
    runs["2008-366"].reach("julian_window", "queued", "running", "success")
    assert runs["2008-366"].end() == GREEN
    assert len(daily.revisions("2008-366")) == 1


@pytest.mark.xdist_group("demo")
@pytest.mark.timeout(900)
def test_the_demo_ends_by_itself_with_every_run_green(tmp_path: Path) -> None:
    """``make demo ONCE=1`` on an empty folder: days copied, mails sent, status 0, nothing left running."""
    folder = tmp_path / "demo"
    done = run(f"make demo ONCE=1 DEMO={shlex.quote(str(folder))}")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every run succeeded." in done.stdout
    assert {path.name for path in (folder / "vault" / "supim").iterdir()} >= {"2025", "2026"}
    assert {path.name for path in (folder / "vault" / "vm").iterdir()} == {"maq1", "maq2", "maq3"}
    assert "down for" in done.stdout
    assert "is back, proven: " in done.stdout
    assert "/plugin/backups" in done.stdout
    assert "The screen of maq1, as it booted from its image" in done.stdout
