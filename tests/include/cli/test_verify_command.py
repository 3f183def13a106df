"""``verify``: all backups, or those that are named."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from include.cli.__main__ import main
from include.days.archive import DayArchive
from include.scrub.backups import in_vault
from include.vault.vault import Vault
from tests.include.days.sample_days import tree
from tests.include.project_process import python
from tests.include.scrub.sample_backups import CONTENTS, cut, day, flip, lose
from tests.include.vms.sample_vms import INSTANT, lay
from tests.session.needs import plain_user

NEWEST = "2026-11-23T05-00-03Z"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A vault with a day in two revisions, and two generations of a VM."""
    vault = Vault.create(tmp_path / "vault")
    day(vault)
    day(vault, CONTENTS | {"sub/b": b"other"}, revision=2)
    lay(vault)
    lay(vault, instant=INSTANT + timedelta(days=1))
    return vault


def verify(capsys: pytest.CaptureFixture[str], vault: Vault, *arguments: str) -> tuple[int, list[str]]:
    """Run the command; return its exit status and the lines of its output after the vault's name."""
    status = main(["verify", "--vault", str(vault.root), *arguments])
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == f"Vault: {vault.root}"
    return status, lines


def test_an_intact_vault_is_status_0(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints a line for each backup and a summary; the vault stays unchanged."""
    before = tree(vault.root)
    status, lines = verify(capsys, vault)
    assert status == 0
    assert [line.split()[:2] for line in lines[:-1]] == [
        *(["intact", "2026-268"], ["intact", "2026-268.r2"], ["intact", "maq1"], ["intact", "maq1"])
    ]
    assert lines[-1].startswith("4 read, 8.7 MB in ")
    assert tree(vault.root) == before


def test_an_empty_vault_is_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was verified, and it may be the wrong vault."""
    assert main(["verify", "--vault", str(Vault.create(tmp_path / "empty").root)]) == 2
    assert "has no backups. Nothing was verified. Is it the right vault?" in capsys.readouterr().err


def test_unrecorded_damage_prints_how_to_record_it(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    """It isn't recorded by default, because the vault may be read-only."""
    flip(in_vault(vault)[0].folder / "a")
    assert main(["verify", "2026-268", "--vault", str(vault.root)]) == 1
    assert "Run this again with --record" in capsys.readouterr().err
    assert main(["verify", "2026-268", "--vault", str(vault.root), "--record"]) == 1
    assert "a run of vault_status" in capsys.readouterr().err
    assert in_vault(vault)[0].published.verification_log.damaged


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["2026-268"], ["2026-268", "2026-268.r2"]),
        (["2026-268.r2"], ["2026-268.r2"]),
        (["2026-09-25"], ["2026-268", "2026-268.r2"]),
        (["2026-09-25.r2"], ["2026-268.r2"]),
        (["maq1"], ["maq1 2026-11-22T05-00-03Z", f"maq1 {NEWEST}"]),
        (["maq1", NEWEST], [f"maq1 {NEWEST}"]),
        ([f"maq1 {NEWEST}"], [f"maq1 {NEWEST}"]),
        ([f"maq1/{NEWEST}"], [f"maq1 {NEWEST}"]),
        (["maq1", NEWEST, "2026-268.r2"], ["2026-268.r2", f"maq1 {NEWEST}"]),
    ],
)
def test_backups_are_selected_by_name(
    vault: Vault, capsys: pytest.CaptureFixture[str], arguments: list[str], names: list[str]
) -> None:
    """A day selects all its revisions, in either form; a VM all its generations."""
    status = main(["verify", "--vault", str(vault.root), "--json", *arguments])
    found = json.loads(capsys.readouterr().out)
    assert (status, [result["name"] for result in found["backups"]]) == (0, names)
    assert found["vault"] == str(vault.root)


def test_damage_is_status_1_and_is_recorded_only_with_record(
    vault: Vault, capsys: pytest.CaptureFixture[str]
) -> None:
    """``list`` shows recorded damage."""
    newest = in_vault(vault)[-1]
    flip(newest.folder / "vdb.img")
    status, lines = verify(capsys, vault, "maq1")
    assert status == 1
    assert lines[1] == f"DAMAGED   maq1 {NEWEST}  1 chunk of 1 of vdb.img isn't as published: bytes 0-3."
    assert lines[2].endswith(f"Damaged: 'maq1 {NEWEST}'.")
    assert newest.verification_log.read() == []

    assert verify(capsys, vault, "maq1", NEWEST, "--record")[0] == 1
    [found] = newest.verification_log.read()
    assert (found.result, found.run.startswith("by hand 20")) == ("failed", True)
    assert main(["list", "--vault", str(vault.root)]) == 1


def test_quick_compares_names_and_sizes_and_reads_nothing(
    vault: Vault, capsys: pytest.CaptureFixture[str]
) -> None:
    """It finds a file that is gone, and not a byte that has flipped; it can't be recorded as a scrub."""
    first, second, older, _ = in_vault(vault)
    flip(first.folder / "a")
    lose(second.folder / "a")
    cut(older.folder / "vdb.img", 3)
    assert main(["verify", "--quick", "--vault", str(vault.root)]) == 1
    output = capsys.readouterr()
    _, *lines, summary = output.out.splitlines()
    sizes = "Names, kinds and sizes of 4 files equal to 268.sizes, folders and links to the record"
    assert lines[0] == f"complete  2026-268  {sizes}."
    assert lines[1] == "DAMAGED   2026-268.r2  1 file is missing: 'a'."
    assert lines[2].endswith("1 file is shorter than published: 'vdb.img'.")
    assert lines[3].endswith("Names, kinds and sizes of 7 files equal to the record.")
    assert summary.startswith("4 checked by names and sizes in ")
    assert "Run this again with --record instead of --quick" in output.err
    with pytest.raises(SystemExit):
        main(["verify", "--quick", "--record"])


def test_an_unknown_backup_or_a_usage_error_is_status_2(
    vault: Vault, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is read."""
    assert main(["verify", "--vault", str(vault.root), "2026-268", "maq9", NEWEST]) == 2
    assert capsys.readouterr().err == (
        f"The vault has no backup 'maq9 {NEWEST}'. To list all: inpe-backup list\n"
    )
    for arguments in (["--rate", "0"], ["--rate", "fast"], ["--wrong"]):
        with pytest.raises(SystemExit) as usage:
            main(["verify", *arguments])
        assert usage.value.code == 2


def test_a_backup_that_this_user_may_not_read_is_status_2(vault: Vault) -> None:
    """It may be damaged."""
    (DayArchive(vault).published()[0].folder / "sub" / "b").chmod(0)
    script = "import sys; from include.cli.__main__ import main; print(main(sys.argv[1:]))"
    arguments = ["verify", "--vault", str(vault.root), "2026-268"]
    _, first, second, summary, status = python(script, *arguments, prefix=plain_user()).splitlines()
    assert first.startswith("NOT CHECKED  2026-268  This user may not read ")
    assert second.startswith("intact    2026-268.r2")
    assert summary.endswith("Not checked: '2026-268'.")
    assert status == "2"
