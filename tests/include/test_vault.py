"""The vault: what counts as published, and what is never touched."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from include.errors import VaultError, VaultUnmarkedError
from include.ordinal_day import OrdinalDay
from include.vault import MARKER, Vault
from tests.include.days import DAY, lay, record, stage, tree
from tests.include.machine import environment, plain_user, python


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def command(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run the vault's command line as a person does."""
    line = [sys.executable, "-m", "include.vault", *words]
    return subprocess.run(line, cwd=cwd, env=environment(), capture_output=True, text=True, check=False)


def test_a_vault_is_made_once_and_opened_by_its_marker(tmp_path: Path) -> None:
    """Folders above it are made, too."""
    made = Vault.create(tmp_path / "backup" / "vault")
    assert Vault.open(tmp_path / "backup" / "vault") == made
    with pytest.raises(VaultError, match="isn't empty"):
        Vault.create(made.root)


def test_a_new_disk_is_empty_enough(tmp_path: Path) -> None:
    """ext4 makes ``lost+found`` by itself."""
    (tmp_path / "lost+found").mkdir()
    assert Vault.create(tmp_path).published() == []


@pytest.mark.parametrize("stranger", ["file", ".hidden", "supim"])
def test_a_folder_that_holds_something_becomes_no_vault(tmp_path: Path, stranger: str) -> None:
    """Somebody's data would be mistaken for ours."""
    (tmp_path / stranger).write_text("mine")
    with pytest.raises(VaultError, match="isn't empty"):
        Vault.create(tmp_path)
    assert os.listdir(tmp_path) == [stranger]  # noqa: PTH208 - names


def test_a_folder_without_a_marker_is_no_vault(tmp_path: Path) -> None:
    """A mount point whose disk isn't there, above all; nothing is written into it."""
    for unmounted in (tmp_path, tmp_path / "none"):
        with pytest.raises(VaultUnmarkedError) as refused:
            Vault.open(unmounted)
        assert str(refused.value) == (
            f"{unmounted} holds no vault marker ({MARKER}). Is its disk mounted? "
            f"A new vault is made once, with: python -m include.vault create {unmounted}"
        )
    assert list(tmp_path.iterdir()) == []


def test_a_vault_is_made_on_the_command_line(tmp_path: Path) -> None:
    """A second time it is refused with a sentence, not with a traceback."""
    made = command("create", "vault", cwd=tmp_path)
    assert (made.returncode, made.stdout, made.stderr) == (0, f"{tmp_path}/vault is a vault now.\n", "")
    assert Vault.open(tmp_path / "vault")
    again = command("create", "vault", cwd=tmp_path)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr == f"{tmp_path}/vault isn't empty. A vault is made in an empty folder.\n"


def test_a_vault_that_cant_be_made_is_refused_with_a_sentence(tmp_path: Path) -> None:
    """And a wrong command with how to write it."""
    (tmp_path / "file").write_text("")
    impossible = command("create", "file/vault", cwd=tmp_path)
    assert impossible.returncode == 1
    assert impossible.stderr.count("\n") == 1
    assert "Not a directory" in impossible.stderr
    unclear = command(cwd=tmp_path)
    assert unclear.returncode == 2
    assert unclear.stderr.startswith("usage: python -m include.vault")


def test_published_days_are_listed_with_all_their_revisions(vault: Vault) -> None:
    """Oldest first, over years and with more than nine revisions."""
    for written, revision in (("2027-001", 1), ("2026-268", 10), ("2026-268", 2), ("2026-268", 1)):
        lay(vault, OrdinalDay.parse(written), revision)
    assert [(str(found.day), found.revision, found.name) for found in vault.published()] == [
        ("2026-268", 1, "268"),
        ("2026-268", 2, "268.r2"),
        ("2026-268", 10, "268.r10"),
        ("2027-001", 1, "001"),
    ]
    assert [found.revision for found in vault.revisions(DAY)] == [1, 2, 10]
    assert vault.revisions(DAY + 1) == []
    assert vault.published()[-1].record.day == OrdinalDay(2027, 1)


@pytest.mark.parametrize(
    "name",
    ["68", "0268", "366", "000", "268.r1", "268.r0", "268.r02", "268.r", "268.R2", "268r2", "٢٦٨", "268\n"],
)
def test_a_strangers_folder_is_no_day(vault: Vault, name: str) -> None:
    """Whatever it looks like, and even with a record beside it."""
    year = vault.root / "supim" / "2026"
    (year / name).mkdir(parents=True)
    (year / f"{name}.json").write_text(record().model_dump_json())
    assert vault.published() == []


@pytest.mark.parametrize("year", ["26", "02026", "2026.bak", "٢٠٢٦", "0000"])
def test_a_strangers_year_is_none(vault: Vault, year: str) -> None:
    """Only four digits are a year."""
    (vault.root / "supim" / year / "268").mkdir(parents=True)
    (vault.root / "supim" / year / "268.json").write_text(record().model_dump_json())
    assert vault.published() == []


def test_a_folder_without_record_isnt_published_nor_is_a_record_without_folder(vault: Vault) -> None:
    """The first is somebody else's; the second is what a publishing leaves that was killed before its end."""
    year = vault.root / "supim" / "2026"
    (year / "268").mkdir(parents=True)
    (year / "269.json").write_text(record().model_dump_json())
    (year / "269.sha256").write_text("")
    assert vault.published() == []


def test_a_damaged_record_is_told_with_its_path(vault: Vault) -> None:
    """A person can look."""
    found = lay(vault)
    found.record_file.write_text("{")
    with pytest.raises(VaultError, match=f"^The record {found.record_file} can't be read: "):
        _ = found.record


def test_the_next_revision_takes_no_name_that_exists(vault: Vault) -> None:
    """Not a folder's, nor a file's, nor even a dangling link's; whoever it belongs to."""
    year = vault.root / "supim" / "2026"
    year.mkdir(parents=True)
    for make in (
        lambda path: path.mkdir(),
        lambda path: path.symlink_to("/nowhere"),
        lambda path: path.write_text("mine"),
        lambda _: lay(vault, revision=4),
    ):
        make(free := vault.next_revision(DAY).folder)
        assert vault.next_revision(DAY).folder != free
    assert vault.next_revision(DAY).name == "268.r5"
    assert vault.next_revision(DAY + 1).name == "269"


def test_a_removed_revisions_name_isnt_given_again_to_a_later_one(vault: Vault) -> None:
    """The highest number is the newest version."""
    lay(vault, revision=3)
    assert vault.next_revision(DAY).revision == 4


def test_clearing_removes_the_staged_day_and_nothing_else(vault: Vault, tmp_path: Path) -> None:
    """Read-only folders too; what links and hard links lead to stays as it is."""
    outside, published = tmp_path / "outside", lay(vault)
    (outside / "sub").mkdir(parents=True)
    (outside / "sub" / "file").write_text("mine")
    (published.folder / "shared").write_bytes(b"proven")
    (published.folder / "shared").chmod(0o444)
    staged = vault.staged(DAY)
    stage(staged, {"sub/deep/file": b"x"})
    stage(vault.staged(DAY + 1), {"file": b"y"})
    (staged.data / "away").symlink_to(outside)
    (staged.folder / "away").symlink_to(outside)
    (staged.data / "sub" / "shared").hardlink_to(published.folder / "shared")
    os.mkfifo(staged.data / "fifo")
    for folder in (staged.data / "sub" / "deep", staged.data / "sub", staged.data):
        folder.chmod(0o555)
    kept = [tree(folder) for folder in (outside, vault.staged(DAY + 1).folder)]
    clear = "import sys; from tests.include.days import *; s = Vault(Path(sys.argv[1])).hold(DAY)\n"
    python(clear + "with s as staged: staged.clear()", str(vault.root), prefix=plain_user())

    assert not staged.folder.exists()
    assert [tree(folder) for folder in (outside, vault.staged(DAY + 1).folder)] == kept
    assert (published.folder / "shared").read_bytes() == b"proven"
    assert (published.folder / "shared").stat().st_mode & 0o777 == 0o444


def test_a_copy_that_may_share_files_with_the_vault_is_begun_anew(vault: Vault) -> None:
    """Staging is written in place: it must never meet a file that a published day holds, too."""
    staged = vault.staged(DAY)
    stage(staged, {"file": b"x"})
    for conclusion in (staged.source_listing, staged.draft):
        conclusion.write_text("{}")
    staged.begin_copy()
    assert [path.name for path in staged.folder.iterdir()] == ["data"]
    staged.publishing.touch()
    staged.begin_copy()
    assert list(staged.folder.iterdir()) == []


def test_clearing_can_be_killed_before_each_change(vault: Vault) -> None:
    """As long as a file is left that a published day may share, the mark stays that says so."""
    published, staged = lay(vault), vault.staged(DAY)
    (published.folder / "shared").write_bytes(b"proven")
    stage(staged, {"a/file": b"x", "file": b"y"})
    (staged.data / "a" / "shared").hardlink_to(published.folder / "shared")
    for sidecar in (staged.publishing, staged.draft, staged.source_listing, staged.folder / "sums"):
        sidecar.touch()
    script = """
import os, subprocess, sys
from itertools import count
from tests.include.days import DAY, Path, Vault
from tests.include.worker import Fate
for change in count(1):
    copy = Path(f"{sys.argv[1]}.{change}")
    subprocess.run(["cp", "--archive", sys.argv[1], copy], check=True)
    staged = Vault(copy).staged(DAY)
    child = os.fork()
    if child == 0:
        sys.addaudithook(Fate(str(copy), die_before=change))
        staged.begin_copy()
        os._exit(0)
    killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
    assert staged.publishing.exists() or not staged.data.exists()
    staged.begin_copy()
    assert list(staged.folder.iterdir()) == []
    if not killed:
        break
print(change)
"""
    assert int(python(script, str(vault.root), prefix=plain_user())) > 10


def test_work_that_nobody_goes_on_with_is_found(vault: Vault) -> None:
    """By its age; what isn't a day's is none of it."""
    assert vault.left_staged(0) == []
    for day in (DAY + 1, DAY):
        stage(vault.staged(day), {"file": b"x"})
    (vault.root / ".staging" / "supim" / "notes").mkdir()
    an_hour_ago = time.time() - 3600
    os.utime(vault.staged(DAY).folder, (an_hour_ago, an_hour_ago))
    assert vault.left_staged(3500) == [vault.staged(DAY)]
    assert vault.left_staged(3700) == []
    assert vault.left_staged(-1) == [vault.staged(DAY), vault.staged(DAY + 1)]


@pytest.mark.parametrize("link", [".staging", ".staging/supim", ".staging/supim/2026-268", "data"])
def test_staging_that_leads_out_of_the_vault_is_refused(vault: Vault, tmp_path: Path, link: str) -> None:
    """A day is copied with --delete: it must not be into somebody's home."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "letter").write_text("mine")
    path = vault.root / link if link != "data" else vault.staged(DAY).data
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(home)
    with pytest.raises(VaultError, match="leads out of the vault through a link"), vault.hold(DAY):
        pytest.fail("it was held")
    assert [entry.name for entry in home.iterdir()] == ["letter"]


def test_a_vault_behind_a_link_is_fine(vault: Vault, tmp_path: Path) -> None:
    """``/backup`` may be one; only staging must stay where the vault is."""
    (tmp_path / "backup").symlink_to(vault.root)
    with Vault.open(tmp_path / "backup").hold(DAY) as staged:
        assert staged.folder.is_dir()
