"""The README and docs/ are true: their commands run, their files are there, their messages are the code's."""

import json
import os
import re
import subprocess
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from bench.table import markdown
from include.config import reference
from include.days.published import PublishedDay
from include.remote import zipapps
from include.vault.vault import MARKER, Vault
from include.vault.verification_log import LogEntry
from include.vms.published import PublishedVm
from tests.dags.documents import DOCUMENTS, OPERATIONS, README, VAULT, blocks, commands, run
from tests.include.scrub import sample_backups
from tests.include.vms import sample_vms
from tests.session import needs
from tests.site.airflow_home import PROJECT

COVERED = {
    "make demo ONCE=1": "test_the_demo_ends_by_itself_with_every_run_green",
    "make test": "this very run",
    "make help": "test_the_other_targets_exist",
    "sudo ": "test_the_set_up_fits_the_compose_file",
    "install -m 600 env.example .env": "test_the_set_up_fits_the_compose_file",
    "docker compose ": "test_the_set_up_fits_the_compose_file",
    "bin/inpe-backup init /backup/vault": "test_the_init_command_makes_a_vault_once",
    "airflow backfill create": "test_the_terminal_does_what_the_web_ui_does",
    "airflow dags clear": "test_the_terminal_does_what_the_web_ui_does",
    "cd /backup/vault/supim/2026": "test_a_day_is_verified_and_restored_by_hand",
    "(cd 268 && sha256sum --check --quiet ../268.sha256)": "test_a_day_is_verified_and_restored_by_hand",
    "cp -r --preserve=timestamps 268 /tmp/restored-268": "test_a_day_is_verified_and_restored_by_hand",
    "chmod -R u+w /tmp/restored-268": "test_a_day_is_verified_and_restored_by_hand",
    "airflow dags trigger supim_restore": "test_a_day_is_restored_by_the_command_of_the_web_ui",
    "bin/inpe-backup restore-day": "test_a_day_is_restored_from_a_terminal_without_airflow",
    "bin/inpe-backup restore-vm": "test_a_vms_images_are_restored_from_a_terminal",
    "bin/inpe-backup list": "test_what_is_typed_about_the_vault_says_what_is_in_it",
    "bin/inpe-backup verify": "test_what_is_typed_about_the_vault_says_what_is_in_it",
    "bin/inpe-backup protect": "test_an_image_is_protected_from_a_terminal",
    "bin/inpe-backup unprotect": "test_an_image_is_protected_from_a_terminal",
    "make test-all": "this very run",
    "rm -r /backup/vault/": "test_what_is_removed_by_hand_isnt_missed",
    "agent=": "test_the_agents_commands_are_there",
    "$agent ": "test_the_agents_commands_are_there",
    "cd /backup/vault/vm/maq1": "test_a_lost_vm_is_restored_by_hand",
    "sha256sum --check --quiet SHA256SUMS": "test_a_lost_vm_is_restored_by_hand",
    "rsync --recursive --sparse ./ ": "test_a_lost_vm_is_restored_by_hand",
    "qemu-img convert -f raw": "test_a_lost_vm_is_restored_by_hand",
    "virsh define domain.xml": "test_a_lost_vm_is_restored_by_hand",
    "virsh start maq1": "test_a_lost_vm_is_restored_by_hand",
}


def test_every_command_is_covered_by_a_test() -> None:
    """A command that is added to a document needs a test, and a name here."""
    known = tuple(COVERED)
    assert [command for command in commands() if not command.startswith(known)] == []
    assert [name for name in known if not any(command.startswith(name) for command in commands())] == []


def test_the_tests_that_cover_a_command_exist() -> None:
    """Under the names that are given for them."""
    tests = "\n".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert [
        test for test in COVERED.values() if test != "this very run" and f"def {test}(" not in tests
    ] == []


def test_what_is_shown_of_the_site_file_is_in_it() -> None:
    """What a reader copies is what the project ships."""
    shipped = (PROJECT / "include" / "site.yaml").read_text(encoding="utf-8").splitlines()
    [shown] = blocks("yaml")
    assert [line for line in shown.splitlines() if line not in shipped] == []


def test_the_page_of_measurements_is_made_of_the_last_ones() -> None:
    """No figure in it was typed."""
    rows = json.loads((PROJECT / "bench" / "results.json").read_text(encoding="utf-8"))
    assert (PROJECT / "bench" / "results.md").read_text(encoding="utf-8") == markdown(rows)


def test_the_configuration_page_is_made_of_the_models() -> None:
    """Renew it with: python -m include.config.reference > docs/configuration.md."""
    assert DOCUMENTS[PROJECT / "docs" / "configuration.md"] == reference.markdown()


def test_the_readme_is_read_in_one_sitting() -> None:
    """The rest is in docs/."""
    assert len(README.splitlines()) <= 200


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """To a file of the project, and a heading in it."""
    for target, heading in re.findall(r"\]\((?!http)([^)#]*)(?:#([^)]*))?\)", DOCUMENTS[path]):
        there = path.parent / target if target else path
        assert there.exists(), target
        headings = re.findall(r"^#+ (.*)$", DOCUMENTS[there.resolve()], re.MULTILINE) if heading else []
        assert not heading or heading in [one.lower().replace(" ", "-") for one in headings]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_modules_that_are_named_are_there(path: Path) -> None:
    """In prose and tables, as a reader looks for them."""
    for named in re.findall(r"`([a-z_]+(?:/[\w.*]+)+)`", DOCUMENTS[path]):
        places = [PROJECT, PROJECT / "include", PROJECT / "tests" / "include"]
        assert any(list(place.glob(named)) for place in places), named


@pytest.mark.parametrize("message", re.findall(r"^### (.+)$", OPERATIONS, re.MULTILINE))
def test_each_message_is_one_of_the_code(message: str) -> None:
    """Who searches the document for what the report says finds it."""
    sources = [path.read_text() for room in ("include", "plugins") for path in (PROJECT / room).rglob("*.py")]
    code = re.sub(r'"\s+f?"', "", "\n".join(sources))  # sentences go on over the lines of the source
    assert all(part in code for part in message.strip("…").split("…"))


def test_the_init_command_makes_a_vault_once(tmp_path: Path) -> None:
    """``bin/inpe-backup init`` marks an empty folder, and refuses a second time."""
    [command] = [line for line in commands() if line.startswith("bin/inpe-backup init")]
    here = command.replace(VAULT, str(tmp_path / "vault"))

    assert run(here).returncode == 0
    assert (tmp_path / "vault" / MARKER).is_file()
    again = run(here)
    assert again.returncode == 2
    assert "is a vault already" in again.stderr


def test_what_is_typed_about_the_vault_says_what_is_in_it(tmp_path: Path) -> None:
    """About the site file's vault, if no other is named."""
    vault = Vault.create(tmp_path / "vault")
    site_file = tmp_path / "site.yaml"
    shipped = (PROJECT / "include" / "site.yaml").read_text(encoding="utf-8")
    site_file.write_text(shipped.replace(VAULT, str(vault.root)), encoding="utf-8")
    published = sample_backups.day(vault)
    manifest, verify, quick = (
        line for line in commands() if line.startswith(("bin/inpe-backup list", "bin/inpe-backup verify"))
    )

    def typed(command: str) -> "subprocess.CompletedProcess[str]":
        return run(command, INPE_BACKUP_SITE=str(site_file))

    assert "2026-268" in typed(manifest).stdout
    assert typed(verify).stdout.startswith(f"Vault: {vault.root}\nintact    2026-268")
    assert typed(quick).stdout.startswith(f"Vault: {vault.root}\ncomplete  2026-268")
    sample_backups.flip(published.folder / "a")
    assert (typed(verify).returncode, typed(manifest).returncode) == (1, 0)


def test_what_is_removed_by_hand_isnt_missed(tmp_path: Path) -> None:
    """A VM, an image between two others, a day, one revision: what stays is whole, and nothing is lost."""
    needs.root()
    vault = Vault.create(tmp_path / "vault")
    a_vm, an_image, a_day = (line.replace(VAULT, str(vault.root)) for line in commands() if "rm -r" in line)
    _fill(vault)
    revision = f"{vault.root}/supim/2026/268.r2"

    removed = run(f"{a_vm}\n{an_image}\nrm -r {revision} {revision}.*")
    left = run(f"bin/inpe-backup verify --vault {vault.root}")
    last = run(f"{a_day}\nbin/inpe-backup list --vault {vault.root}")

    names = ["2026-268", "maq1 2026-11-15T05-00-03Z", "maq1 2026-11-25T05-00-03Z"]
    assert (removed.stderr, left.returncode, last.returncode) == ("", 0, 0)
    assert re.findall(r"^intact +(\S+(?: \S+Z)?)", left.stdout, re.MULTILINE) == names
    assert re.findall(r"^(\S+ \S+Z) ", last.stdout, re.MULTILINE) == names[1:]
    assert {path.name for path in vault.root.rglob("*268*")} == set()


def _fill(vault: Vault) -> None:
    """Fill a vault with two revisions of a day, three images of maq1, and one of maq7; each was scrubbed."""
    first = sample_backups.day(vault)
    published: list[PublishedDay | PublishedVm] = [first]
    published.append(sample_backups.day(vault, {**sample_backups.CONTENTS, "sub/b": b"changed"}))
    assert (first.folder / "a").stat().st_ino == (published[1].folder / "a").stat().st_ino
    for vm, days in (("maq1", (15, 22, 25)), ("maq7", (22,))):
        for day in days:
            instant = datetime(2026, 11, day, 5, 0, 3, tzinfo=UTC)
            published.append(sample_vms.lay(vault, vm=vm, instant=instant))
    for one in published:
        passed = LogEntry(what="scrub", when=datetime.now(UTC), result="passed", how="", seconds=0, run="r")
        one.verification_log.append(passed)


def test_the_agents_commands_are_there(tmp_path: Path) -> None:
    """With an older version of the agent beside the newest, on a host where nothing is open."""
    newest, old = tmp_path / zipapps.agent().name, tmp_path / "agent-0.pyz"
    newest.write_bytes(zipapps.agent().content)
    old.write_text("raise SystemExit('This is the old one.')")
    os.utime(old, (1, 1))
    [named] = [line for line in commands() if line.startswith("agent=")]
    here = named.replace("/var/lib/inpe-backup", str(tmp_path))
    words = [line.split() for line in commands() if line.startswith("$agent ")]

    general, ending = (run(f"{here}\n$agent {asked} --help").stdout for asked in ("", "end-backup"))
    status = run(f"{here}\n$agent --state={tmp_path} status")

    listed = set(re.findall(r"^    ([a-z-]+)\b", general, re.MULTILINE))
    assert {command for _, command, *_ in words} - listed == {"--help"}
    assert "--as-it-is" in ending
    assert json.loads(status.stdout) == {"vms": []}


def test_an_upgrade_is_typed_as_the_way_to_celery_is() -> None:
    """``up`` alone would end what tasks report to, before they do; and a restart wouldn't build the image."""
    [part] = re.findall(r"^## Upgrade\n(.*?)^## ", OPERATIONS, re.DOTALL | re.MULTILINE)
    typed = re.findall(r"^```sh\n(.*?)^```$", part, re.DOTALL | re.MULTILINE)
    assert typed == ["docker compose stop\ndocker compose up --build --detach --wait\n"]
    assert textwrap.indent(typed[0], "   ") in OPERATIONS


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
    assert all(
        f"{target} " in listed for target in ("demo", "test", "test-all", "endurance", "bench", "lock")
    )
    assert "-m bench" in run("make --dry-run bench").stdout
    assert "-m tests.session test " in run("make --dry-run test").stdout
    assert "-m tests.session slow " in run("make --dry-run test-all").stdout
    assert "-m tests.session endurance " in run("make --dry-run endurance").stdout
    assert run("make durations").returncode == 0
