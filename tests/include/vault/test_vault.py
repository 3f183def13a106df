"""The vault and its days: what counts as published, and what is never touched."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from include.days.archive import DayArchive
from include.errors import VaultError, VaultUnmarkedError
from include.ordinal_day import OrdinalDay
from include.vault import file_system
from include.vault.vault import MARKER, Vault
from tests.include.days.sample_days import DAY, lay, record, stage, tree
from tests.include.project_process import PROJECT, environment, python
from tests.session.needs import plain_user


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def command(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run ``inpe-backup`` as a person does."""
    line = [sys.executable, str(PROJECT / "bin" / "inpe-backup"), *arguments]
    return subprocess.run(line, cwd=cwd, env=environment(), capture_output=True, text=True, check=False)


def test_a_vault_is_created_once_and_opened_by_its_marker(tmp_path: Path) -> None:
    """The folders above it are created, too."""
    made = Vault.create(tmp_path / "backup" / "vault")
    assert Vault.open(tmp_path / "backup" / "vault") == made
    with pytest.raises(VaultError, match="is a vault already"):
        Vault.create(made.root)


def test_a_new_disk_is_empty_enough(tmp_path: Path) -> None:
    """ext4 creates ``lost+found`` by itself."""
    (tmp_path / "lost+found").mkdir()
    assert DayArchive(Vault.create(tmp_path)).published() == []


@pytest.mark.parametrize("name", ["file", ".hidden", "supim"])
def test_a_vault_isnt_created_in_a_folder_that_isnt_empty(tmp_path: Path, name: str) -> None:
    """Somebody's data would be mistaken for ours."""
    (tmp_path / name).write_text("mine")
    with pytest.raises(VaultError, match="isn't empty"):
        Vault.create(tmp_path)
    assert os.listdir(tmp_path) == [name]  # noqa: PTH208 - names


def test_a_folder_without_a_marker_is_no_vault(tmp_path: Path) -> None:
    """Above all a mount point without its disk; nothing is written into it."""
    for unmounted in (tmp_path, tmp_path / "none"):
        with pytest.raises(VaultUnmarkedError) as refused:
            Vault.open(unmounted)
        assert str(refused.value) == (
            f"{unmounted} holds no vault marker ({MARKER}). Is its disk mounted? "
            f"Only on a new, empty disk, create a vault, once: bin/inpe-backup init {unmounted}"
        )
    assert list(tmp_path.iterdir()) == []


def test_a_vault_is_created_on_the_command_line(tmp_path: Path) -> None:
    """A second time it is refused with a message, without a traceback."""
    made = command("init", "vault", cwd=tmp_path)
    first, *limits = made.stdout.splitlines()
    assert (made.returncode, first, made.stderr) == (0, f"Created the vault {tmp_path}/vault.", "")
    assert limits == file_system.limits(tmp_path)
    marked = Vault.open(tmp_path / "vault").id
    again = command("init", "vault", cwd=tmp_path)
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr == f"{tmp_path}/vault is a vault already. It needs no init; nothing was changed.\n"
    assert Vault.open(tmp_path / "vault").id == marked


def test_a_vault_that_cant_be_created_is_refused_with_a_message(tmp_path: Path) -> None:
    """And a wrong command with its usage."""
    (tmp_path / "file").write_text("")
    impossible = command("init", "file/vault", cwd=tmp_path)
    assert impossible.returncode == 2
    assert impossible.stderr.count("\n") == 1
    assert "Not a directory" in impossible.stderr
    unclear = command(cwd=tmp_path)
    assert unclear.returncode == 2
    assert unclear.stderr.startswith("usage: inpe-backup")


def test_published_days_are_listed_with_all_their_revisions(vault: Vault) -> None:
    """Oldest first, across years and with more than nine revisions."""
    for day, revision in (("2027-001", 1), ("2026-268", 10), ("2026-268", 2), ("2026-268", 1)):
        lay(vault, OrdinalDay.parse(day), revision)
    assert [(str(found.day), found.revision, found.name) for found in DayArchive(vault).published()] == [
        ("2026-268", 1, "268"),
        ("2026-268", 2, "268.r2"),
        ("2026-268", 10, "268.r10"),
        ("2027-001", 1, "001"),
    ]
    assert [found.revision for found in DayArchive(vault).revisions(DAY)] == [1, 2, 10]
    assert DayArchive(vault).revisions(DAY + 1) == []
    assert DayArchive(vault).published()[-1].record.day == OrdinalDay(2027, 1)


@pytest.mark.parametrize(
    "name",
    ["68", "0268", "366", "000", "268.r1", "268.r0", "268.r02", "268.r", "268.R2", "268r2", "٢٦٨", "268\n"],
)
def test_a_folder_with_another_name_is_no_day(vault: Vault, name: str) -> None:
    """Even with a record beside it."""
    year = vault.root / "supim" / "2026"
    (year / name).mkdir(parents=True)
    (year / f"{name}.json").write_text(record().model_dump_json())
    assert DayArchive(vault).published() == []


@pytest.mark.parametrize("year", ["26", "02026", "2026.bak", "٢٠٢٦", "0000"])
def test_a_folder_of_days_is_named_by_four_digits(vault: Vault, year: str) -> None:
    """Any other folder isn't a year."""
    (vault.root / "supim" / year / "268").mkdir(parents=True)
    (vault.root / "supim" / year / "268.json").write_text(record().model_dump_json())
    assert DayArchive(vault).published() == []


def test_a_folder_without_record_isnt_published_nor_is_a_record_without_folder(vault: Vault) -> None:
    """The first is somebody else's; the second is left by a publication that was killed."""
    year = vault.root / "supim" / "2026"
    (year / "268").mkdir(parents=True)
    (year / "269.json").write_text(record().model_dump_json())
    (year / "269.sha256").write_text("")
    assert DayArchive(vault).published() == []


def test_a_damaged_record_is_reported_with_its_path(vault: Vault) -> None:
    """So that a person can look at it."""
    found = lay(vault)
    found.record_file.write_text("{")
    with pytest.raises(VaultError, match=f"^The record {found.record_file} can't be read: "):
        _ = found.record


def test_the_next_revision_takes_no_name_that_exists(vault: Vault) -> None:
    """Not that of a folder, a file or a dangling link, whosever it is."""
    year = vault.root / "supim" / "2026"
    year.mkdir(parents=True)
    for make in (
        lambda path: path.mkdir(),
        lambda path: path.symlink_to("/nowhere"),
        lambda path: path.write_text("mine"),
        lambda _: lay(vault, revision=4),
    ):
        make(free := DayArchive(vault).next_revision(DAY).folder)
        assert DayArchive(vault).next_revision(DAY).folder != free
    assert DayArchive(vault).next_revision(DAY).name == "268.r5"
    assert DayArchive(vault).next_revision(DAY + 1).name == "269"


def test_a_new_revision_never_gets_the_number_of_a_removed_one(vault: Vault) -> None:
    """The highest number is the newest revision."""
    lay(vault, revision=3)
    assert DayArchive(vault).next_revision(DAY).revision == 4


def test_clearing_removes_the_staged_day_and_nothing_else(vault: Vault, tmp_path: Path) -> None:
    """Including read-only folders; the targets of links and hard links stay as they are."""
    outside, published = tmp_path / "outside", lay(vault)
    (outside / "sub").mkdir(parents=True)
    (outside / "sub" / "file").write_text("mine")
    (published.folder / "shared").write_bytes(b"verified")
    (published.folder / "shared").chmod(0o444)
    staged = DayArchive(vault).staged(DAY)
    stage(staged, {"sub/deep/file": b"x"})
    stage(DayArchive(vault).staged(DAY + 1), {"file": b"y"})
    (staged.data / "away").symlink_to(outside)
    (staged.folder / "away").symlink_to(outside)
    (staged.data / "sub" / "shared").hardlink_to(published.folder / "shared")
    os.mkfifo(staged.data / "fifo")
    for folder in (staged.data / "sub" / "deep", staged.data / "sub", staged.data):
        folder.chmod(0o555)
    kept = [tree(folder) for folder in (outside, DayArchive(vault).staged(DAY + 1).folder)]
    clear = (
        "import sys\n"
        "from include.days.archive import DayArchive\n"
        "from tests.include.days.sample_days import DAY, Path, Vault\n"
        "with DayArchive(Vault(Path(sys.argv[1]))).lock(DAY) as staged:\n"
        "    staged.clear()\n"
    )
    python(clear, str(vault.root), prefix=plain_user())

    assert not staged.folder.exists()
    assert [tree(folder) for folder in (outside, DayArchive(vault).staged(DAY + 1).folder)] == kept
    assert (published.folder / "shared").read_bytes() == b"verified"
    assert (published.folder / "shared").stat().st_mode & 0o777 == 0o444


def test_a_copy_that_may_share_files_with_a_published_day_is_started_again(vault: Vault) -> None:
    """Rsync writes in place, which would change the published day, too."""
    staged = DayArchive(vault).staged(DAY)
    stage(staged, {"file": b"x"})
    for conclusion in (staged.source_manifest, staged.draft):
        conclusion.write_text("{}")
    staged.begin_copy()
    assert [path.name for path in staged.folder.iterdir()] == ["data"]
    staged.publishing.touch()
    staged.begin_copy()
    assert list(staged.folder.iterdir()) == []


def test_clearing_can_be_killed_before_each_change(vault: Vault) -> None:
    """The marker stays as long as any file is left that a published day may share."""
    published, staged = lay(vault), DayArchive(vault).staged(DAY)
    (published.folder / "shared").write_bytes(b"verified")
    stage(staged, {"a/file": b"x", "file": b"y"})
    (staged.data / "a" / "shared").hardlink_to(published.folder / "shared")
    for sidecar in (staged.publishing, staged.draft, staged.source_manifest, staged.folder / "sums"):
        sidecar.touch()
    script = """
import os, subprocess, sys
from itertools import count
from include.days.archive import DayArchive
from tests.include.days.sample_days import DAY, Path, Vault
from tests.include.days.worker import Fate
for change in count(1):
    copy = Path(f"{sys.argv[1]}.{change}")
    subprocess.run(["cp", "--archive", sys.argv[1], copy], check=True)
    staged = DayArchive(Vault(copy)).staged(DAY)
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


def test_abandoned_work_is_found_by_its_age(vault: Vault) -> None:
    """A folder that isn't a day's is left out."""
    assert DayArchive(vault).left_staged(0) == []
    for day in (DAY + 1, DAY):
        stage(DayArchive(vault).staged(day), {"file": b"x"})
    (vault.root / ".staging" / "supim" / "notes").mkdir()
    an_hour_ago = time.time() - 3600
    os.utime(DayArchive(vault).staged(DAY).folder, (an_hour_ago, an_hour_ago))
    assert DayArchive(vault).left_staged(3500) == [DayArchive(vault).staged(DAY)]
    assert DayArchive(vault).left_staged(3700) == []
    os.utime(DayArchive(vault).staged(DAY).folder, (an_hour_ago + 9e9, an_hour_ago + 9e9))  # by a wrong clock
    assert DayArchive(vault).left_staged(3700) == [DayArchive(vault).staged(DAY)]
    assert DayArchive(vault).left_staged(-1) == [
        DayArchive(vault).staged(DAY),
        DayArchive(vault).staged(DAY + 1),
    ]


@pytest.mark.parametrize("link", [".staging", ".staging/supim", ".staging/supim/2026-268", "data"])
def test_staging_that_leads_out_of_the_vault_is_refused(vault: Vault, tmp_path: Path, link: str) -> None:
    """A day is copied with --delete, which mustn't happen in somebody's home."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "letter").write_text("mine")
    path = vault.root / link if link != "data" else DayArchive(vault).staged(DAY).data
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(home)
    with (
        pytest.raises(VaultError, match="leads out of the vault through a link"),
        DayArchive(vault).lock(DAY),
    ):
        pytest.fail("it was locked")
    assert [entry.name for entry in home.iterdir()] == ["letter"]


def test_a_vault_may_be_behind_a_link(vault: Vault, tmp_path: Path) -> None:
    """``/backup`` may be one; only staging must not lead out of the vault."""
    (tmp_path / "backup").symlink_to(vault.root)
    with DayArchive(Vault.open(tmp_path / "backup")).lock(DAY) as staged:
        assert staged.folder.is_dir()
