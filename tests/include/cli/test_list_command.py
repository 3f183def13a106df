"""``list``, typed at a terminal: what the vault holds, for people and for programs."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from include.__main__ import main
from include.proofs import ProofLog
from include.vault import Vault
from tests.include import days
from tests.include.machines import machines
from tests.include.test_proofs import WHEN, found

DAMAGED = found(result="failed", how="1 file differs: 'a'.")


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A vault with a day, and two generations of a machine."""
    vault = Vault.create(tmp_path / "vault")
    days.lay(vault)
    machines.lay(vault)
    machines.lay(vault, instant=machines.INSTANT + timedelta(weeks=1))
    return vault


def typed(capsys: pytest.CaptureFixture[str], vault: Vault, *words: str) -> tuple[int, list[str]]:
    """Type the command, and give its status and the lines of its answer."""
    status = main(["list", "--vault", str(vault.root), *words])
    return status, capsys.readouterr().out.splitlines()


def test_each_backup_has_a_line(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    """With its size, its last proof, and how it stands."""
    status, lines = typed(capsys, vault)
    assert (status, [line.split() for line in lines[1:]]) == (
        0,
        [
            ["2026-268", "412", "MB", "2026-09-27", "09:30", "whole"],
            ["maq1", "2026-11-22T05-00-03Z", "9", "B", "2026-11-22", "05:00", "whole"],
            ["maq1", "2026-11-29T05-00-03Z", "9", "B", "2026-11-22", "05:00", "whole"],
        ],
    )
    assert lines[0].split() == ["backup", "size", "last", "proven", "(UTC)"]


def log_of(vault: Vault, name: str) -> ProofLog:
    """Give a generation's log."""
    return ProofLog(vault.root / "vm" / "maq1" / f"{name}.proofs")


def test_damage_without_a_newer_version_is_status_1(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    """With the words of the audit that found it; an older damaged one is made good by the newer."""
    log_of(vault, "2026-11-22T05-00-03Z").append(DAMAGED)
    status, lines = typed(capsys, vault)
    assert status == 0
    assert "DAMAGED; maq1 2026-11-29T05-00-03Z is newer and whole." in lines[2]

    log_of(vault, "2026-11-29T05-00-03Z").append(DAMAGED)
    status, lines = typed(capsys, vault)
    assert status == 1
    assert lines[3].endswith("DAMAGED. An audit found it damaged: 1 file differs: 'a'.")


def test_programs_read_the_same_as_json(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    """An audit that found it whole is its last proof."""
    log_of(vault, "2026-11-29T05-00-03Z").append(found().model_copy(update={"when": WHEN}))
    status, lines = typed(capsys, vault, "--json")
    told = json.loads("".join(lines))
    assert status == 0
    assert [one["name"] for one in told] == [
        "2026-268",
        "maq1 2026-11-22T05-00-03Z",
        "maq1 2026-11-29T05-00-03Z",
    ]
    assert told[2] == {
        "name": "maq1 2026-11-29T05-00-03Z",
        "folder": str(vault.root / "vm" / "maq1" / "2026-11-29T05-00-03Z"),
        "bytes": 9,
        "proven": WHEN.isoformat(),
        "damage": None,
        "replaced_by": None,
    }


def test_a_folder_that_is_no_vault_is_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As what isn't understood; nothing is printed as a result."""
    assert main(["list", "--vault", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert (said.out, "holds no vault marker" in said.err) == ("", True)
    with pytest.raises(SystemExit) as usage:
        main(["lst"])
    assert usage.value.code == 2
