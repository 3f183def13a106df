"""``list``: the backups of the vault, as a table and as JSON."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from include.cli.__main__ import main
from include.vault.vault import Vault
from include.vault.verification_log import VerificationLog
from tests.include.days import sample_days
from tests.include.vault.test_verification_log import WHEN, found
from tests.include.vms import sample_vms

DAMAGED = found(result="failed", how="1 file differs: 'a'.")


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A vault with a day, and two generations of a VM."""
    vault = Vault.create(tmp_path / "vault")
    sample_days.lay(vault)
    sample_vms.lay(vault)
    sample_vms.lay(vault, instant=sample_vms.INSTANT + timedelta(days=1))
    return vault


def run_list(capsys: pytest.CaptureFixture[str], vault: Vault, *arguments: str) -> tuple[int, list[str]]:
    """Run the command; return its exit status and the lines of its output after the vault's name."""
    status = main(["list", "--vault", str(vault.root), *arguments])
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == f"Vault: {vault.root}"
    return status, lines


def test_each_backup_has_a_line(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    """With its size, last verification and status."""
    status, lines = run_list(capsys, vault)
    assert (status, [line.split() for line in lines[1:]]) == (
        0,
        [
            ["2026-268", "412", "MB", "2026-09-27", "06:30", "intact"],
            ["maq1", "2026-11-22T05-00-03Z", "9", "B", "2026-11-22", "02:00", "intact"],
            ["maq1", "2026-11-23T05-00-03Z", "9", "B", "2026-11-22", "02:00", "intact"],
        ],
    )
    assert lines[0].split() == ["backup", "size", "last", "verified", "(America/Sao_Paulo)", "status"]


def test_a_revision_has_why_it_was_made(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    """It didn't change at the source if it was fetched again after damage."""
    sample_days.lay(vault, revision=2)
    sample_days.lay(vault, revision=3, cause="the published copy was damaged")
    _, lines = run_list(capsys, vault)
    assert lines[2].endswith("intact; changed at the source")
    assert lines[3].endswith("intact; the published copy was damaged")


def test_a_generation_dated_in_the_future_says_so(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    """It is intact, but isn't what its name says."""
    sample_vms.lay_ahead(vault)
    status, lines = run_list(capsys, vault)
    assert status == 0
    assert lines[2].endswith("intact, but dated in the future: a clock was wrong")


def log_of(vault: Vault, name: str) -> VerificationLog:
    """Return a generation's verification log."""
    return VerificationLog(vault.root / "vm" / "maq1" / f"{name}.verifications")


def test_damage_without_a_newer_version_is_status_1(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    """A damaged backup that a newer one replaces is status 0. The line has what the scrub found."""
    log_of(vault, "2026-11-22T05-00-03Z").append(DAMAGED)
    status, lines = run_list(capsys, vault)
    assert status == 0
    assert "DAMAGED; replaced by maq1 2026-11-23T05-00-03Z, which is intact." in lines[2]

    log_of(vault, "2026-11-23T05-00-03Z").append(DAMAGED)
    status, lines = run_list(capsys, vault)
    assert status == 1
    assert lines[3].endswith("DAMAGED. A scrub found it damaged: 1 file differs: 'a'.")


def test_json_has_the_same_content(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    """A scrub that passed is the last verification."""
    log_of(vault, "2026-11-23T05-00-03Z").append(found().model_copy(update={"when": WHEN}))
    status = main(["list", "--vault", str(vault.root), "--json"])
    printed = json.loads(capsys.readouterr().out)
    backups = printed["backups"]
    assert (status, printed["vault"]) == (0, str(vault.root))
    assert [backup["name"] for backup in backups] == [
        "2026-268",
        "maq1 2026-11-22T05-00-03Z",
        "maq1 2026-11-23T05-00-03Z",
    ]
    assert backups[2] == {
        "name": "maq1 2026-11-23T05-00-03Z",
        "folder": str(vault.root / "vm" / "maq1" / "2026-11-23T05-00-03Z"),
        "bytes": 9,
        "verified": WHEN.isoformat(),
        "damage": None,
        "unchecked": None,
        "replaced_by": None,
        "cause": None,
        "protection": None,
    }


def test_a_folder_that_is_no_vault_is_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So is a usage error; nothing is printed to standard output."""
    assert main(["list", "--vault", str(tmp_path)]) == 2
    output = capsys.readouterr()
    assert (output.out, "holds no vault marker" in output.err) == ("", True)
    with pytest.raises(SystemExit) as usage:
        main(["lst"])
    assert usage.value.code == 2
