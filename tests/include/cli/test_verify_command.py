"""``verify``, typed at a terminal: everything, or what is named."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from include.__main__ import main
from include.audit.backups import in_vault
from include.vault import Vault
from tests.include.audit.kept import CONTENTS, day, flip
from tests.include.days import tree
from tests.include.machine import plain_user, python
from tests.include.machines.machines import INSTANT, lay

NEWEST = "2026-11-29T05-00-03Z"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A vault with a day in two revisions, and two images of a machine."""
    vault = Vault.create(tmp_path / "vault")
    day(vault)
    day(vault, CONTENTS | {"sub/b": b"other"}, revision=2)
    lay(vault)
    lay(vault, instant=INSTANT + timedelta(weeks=1))
    return vault


def typed(capsys: pytest.CaptureFixture[str], vault: Vault, *words: str) -> tuple[int, list[str]]:
    """Type the command, and give its status and the lines of its answer."""
    status = main(["verify", "--vault", str(vault.root), *words])
    return status, capsys.readouterr().out.splitlines()


def test_all_of_a_whole_vault_is_status_0(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each backup, and the sum; the vault stays as it is."""
    before = tree(vault.root)
    status, lines = typed(capsys, vault)
    assert status == 0
    assert [line.split()[:2] for line in lines[:-1]] == [
        *(["whole", "2026-268"], ["whole", "2026-268.r2"], ["whole", "maq1"], ["whole", "maq1"])
    ]
    assert lines[-1].startswith("4 read, 8.7 MB in ")
    assert tree(vault.root) == before


def test_an_empty_vault_is_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was proven, and it may be the wrong vault."""
    assert main(["verify", "--vault", str(Vault.create(tmp_path / "empty").root)]) == 2
    assert "holds no backup: there is nothing to read. Is it the right vault?" in capsys.readouterr().err


def test_damage_that_isnt_recorded_is_told_so(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    """An archive may be read-only; who can write there types one word more."""
    flip(in_vault(vault)[0].folder / "a")
    assert main(["verify", "2026-268", "--vault", str(vault.root)]) == 1
    assert "type it again with --record." in capsys.readouterr().err
    assert main(["verify", "2026-268", "--vault", str(vault.root), "--record"]) == 1
    assert "--record" not in capsys.readouterr().err
    assert in_vault(vault)[0].published.proofs.damaged


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["2026-268"], ["2026-268", "2026-268.r2"]),
        (["2026-268.r2"], ["2026-268.r2"]),
        (["maq1"], ["maq1 2026-11-22T05-00-03Z", f"maq1 {NEWEST}"]),
        (["maq1", NEWEST], [f"maq1 {NEWEST}"]),
        ([f"maq1 {NEWEST}"], [f"maq1 {NEWEST}"]),
        (["maq1", NEWEST, "2026-268.r2"], ["2026-268.r2", f"maq1 {NEWEST}"]),
    ],
)
def test_backups_are_named_as_people_call_them(
    vault: Vault, capsys: pytest.CaptureFixture[str], words: list[str], names: list[str]
) -> None:
    """A day means all its revisions, a machine all its images."""
    status, lines = typed(capsys, vault, "--json", *words)
    assert (status, [one["name"] for one in json.loads("".join(lines))]) == (0, names)


def test_damage_is_status_1_and_is_recorded_only_when_asked_for(
    vault: Vault, capsys: pytest.CaptureFixture[str]
) -> None:
    """By --record, which whoever looks next sees."""
    newest = in_vault(vault)[-1]
    flip(newest.folder / "vdb.img")
    status, lines = typed(capsys, vault, "maq1")
    assert status == 1
    assert lines[1] == f"DAMAGED   maq1 {NEWEST}  1 chunk of 1 of vdb.img isn't as published: bytes 0-3."
    assert lines[2].endswith(f"Damaged: 'maq1 {NEWEST}'.")
    assert newest.proofs.read() == []

    assert typed(capsys, vault, "maq1", NEWEST, "--record")[0] == 1
    [found] = newest.proofs.read()
    assert (found.result, found.run.startswith("by hand 20")) == ("failed", True)
    assert main(["list", "--vault", str(vault.root)]) == 1


def test_what_isnt_there_or_isnt_understood_is_status_2(
    vault: Vault, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing is read."""
    assert main(["verify", "--vault", str(vault.root), "2026-268", "maq9", NEWEST]) == 2
    assert capsys.readouterr().err == (f"The vault holds no 'maq9 {NEWEST}'. See: python -m include list\n")
    for words in (["--rate", "0"], ["--rate", "fast"], ["--wrong"]):
        with pytest.raises(SystemExit) as usage:
            main(["verify", *words])
        assert usage.value.code == 2


def test_what_this_user_may_not_read_is_status_2(vault: Vault) -> None:
    """It may be whole, or not."""
    (vault.published()[0].folder / "sub" / "b").chmod(0)
    script = "import sys; from include.__main__ import main; print(main(sys.argv[1:]))"
    words = ["verify", "--vault", str(vault.root), "2026-268"]
    first, second, summed_up, status = python(script, *words, prefix=plain_user()).splitlines()
    assert first.startswith("NOT CHECKED  2026-268  This user may not read ")
    assert second.startswith("whole     2026-268.r2")
    assert summed_up.endswith("Not checked: '2026-268'.")
    assert status == "2"
