"""``restore-day``, typed at a terminal: a day brought back, refused, or only looked at."""

from pathlib import Path

import pytest

from include.__main__ import main
from include.vault import Vault
from tests.include.rehearsal import contents
from tests.include.restore.work import PLAIN, damage, publish


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A vault with a day, and a folder to restore into."""
    vault = Vault.create(tmp_path / "vault")
    publish(vault, PLAIN)
    (tmp_path / "target").mkdir()
    return vault


def typed(vault: Vault, *words: str, day: str = "2026-268") -> int:
    """Type the command, and give its status."""
    to = str(vault.root.with_name("target"))
    return main(["restore-day", day, "--to", to, "--vault", str(vault.root), *words])


def test_a_day_is_brought_back_below_its_year(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    """And the answer says what was sent, and what was proven."""
    assert typed(vault) == 0
    there = vault.root.with_name("target")
    assert contents(there / "2026" / "268") == contents(vault.root / "supim" / "2026" / "268")
    assert capsys.readouterr().out == (
        f"2026-268 restored. To {there}: 3 files sent, 0 there already. "
        f"SHA-256 of 3 files equal in the vault and at {there}\n"
    )


def test_a_dry_run_writes_nothing(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what would be."""
    assert typed(vault, "--dry-run", "--pattern", "sub/*") == 0
    assert list(vault.root.with_name("target").iterdir()) == []
    assert "2026-268 would be restored. " in capsys.readouterr().out


def test_what_is_refused_is_status_2_with_a_sentence(
    vault: Vault, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another file is in the way, until it may be overwritten; and then it is named."""
    typed(vault)
    other = vault.root.with_name("target") / "2026" / "268" / "a"
    other.write_bytes(b"mine")
    capsys.readouterr()
    assert typed(vault) == 2
    assert "'a' is another there. Nothing was written." in capsys.readouterr().err
    assert other.read_bytes() == b"mine"
    assert typed(vault, "--overwrite") == 0
    assert "1 other file overwritten there: 'a'." in capsys.readouterr().err
    assert other.read_bytes() == PLAIN["a"]


@pytest.mark.parametrize(
    ("day", "words", "told"),
    [
        ("2026-267", [], "The vault doesn't hold 2026-267"),
        ("2026-268", ["--revision", "2"], "holds no revision 2 of 2026-268; it holds 1"),
        ("2026-366", [], "There is no day 366 in 2026"),
        ("2026-268", ["--revision", "0", "--pattern", ""], "The form has 2 mistakes"),
        ("2026-268", ["--vault", "/tmp"], "holds no vault marker"),
    ],
)
def test_what_cant_be_had_is_status_2(
    vault: Vault, capsys: pytest.CaptureFixture[str], day: str, words: list[str], told: str
) -> None:
    """With what there is, or what to write."""
    assert typed(vault, *words, day=day) == 2
    assert told in capsys.readouterr().err


def test_a_damaged_day_is_status_2_with_the_revision_that_is_whole(
    vault: Vault, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which can be named then."""
    damage(publish(vault, {name: b"later " + content for name, content in PLAIN.items()}), "b")
    assert typed(vault) == 2
    assert "is damaged: 'b' isn't as published. Nothing was sent. Proven whole just now: revision 1 " in (
        capsys.readouterr().err
    )
    assert typed(vault, "--revision", "1") == 0
