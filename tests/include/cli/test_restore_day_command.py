"""``restore-day``: a day is restored, refused, or planned in a dry run."""

from pathlib import Path

import pytest

from include.cli.__main__ import main
from include.vault.vault import Vault
from tests.include.days.day_tasks import contents
from tests.include.restore.day_restores import PLAIN, damage, publish


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A vault with a day, and a folder to restore into."""
    vault = Vault.create(tmp_path / "vault")
    publish(vault, PLAIN)
    (tmp_path / "target").mkdir()
    return vault


def restore(vault: Vault, *arguments: str, day: str = "2026-268") -> int:
    """Run the command, and return its exit status."""
    to = str(vault.root.with_name("target"))
    return main(["restore-day", day, "--to", to, "--vault", str(vault.root), *arguments])


def test_a_day_is_restored_into_its_year(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    """The output has what was sent and verified."""
    assert restore(vault) == 0
    there = vault.root.with_name("target")
    assert contents(there / "2026" / "268") == contents(vault.root / "supim" / "2026" / "268")
    assert capsys.readouterr().out == (
        f"2026-268 restored. To {there}: 3 files sent, 0 there already. "
        f"SHA-256 of 3 files equal in the vault and at {there}\n"
    )


def test_a_dry_run_writes_nothing(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints what would be restored; the day may be given as a date."""
    assert restore(vault, "--dry-run", "--pattern", "sub/*", day="2026-09-25") == 0
    assert list(vault.root.with_name("target").iterdir()) == []
    assert "2026-268 would be restored. " in capsys.readouterr().out


def test_an_existing_file_is_status_2_until_it_may_be_overwritten(
    vault: Vault, capsys: pytest.CaptureFixture[str]
) -> None:
    """The overwritten file is named."""
    restore(vault)
    other = vault.root.with_name("target") / "2026" / "268" / "a"
    other.write_bytes(b"mine")
    capsys.readouterr()
    assert restore(vault) == 2
    assert "'a' differs there. Nothing was written." in capsys.readouterr().err
    assert other.read_bytes() == b"mine"
    assert restore(vault, "--overwrite") == 0
    assert "1 different file overwritten there: 'a'." in capsys.readouterr().err
    assert other.read_bytes() == PLAIN["a"]


@pytest.mark.parametrize(
    ("day", "arguments", "message"),
    [
        ("2026-267", [], "The vault doesn't hold 2026-267"),
        ("2026-268", ["--revision", "2"], "holds no revision 2 of 2026-268, only 1"),
        ("2026-366", [], "There is no day 366 in 2026"),
        ("2026-268", ["--revision", "0", "--pattern", ""], "The form has 2 mistakes"),
        ("2026-268", ["--vault", "/tmp"], "holds no vault marker"),
    ],
)
def test_a_day_that_cant_be_restored_is_status_2(
    vault: Vault, capsys: pytest.CaptureFixture[str], day: str, arguments: list[str], message: str
) -> None:
    """The message has what there is, or what is valid."""
    assert restore(vault, *arguments, day=day) == 2
    assert message in capsys.readouterr().err


def test_a_damaged_day_is_status_2_and_names_the_intact_revision(
    vault: Vault, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which can be restored then."""
    damage(publish(vault, {name: b"later " + content for name, content in PLAIN.items()}), "b")
    assert restore(vault) == 2
    assert "is damaged: 'b' isn't as published. Nothing was sent. Revision 1 of the day was verified " in (
        capsys.readouterr().err
    )
    assert restore(vault, "--revision", "1") == 0
