"""The quick check of a vault: what names, kinds and sizes show is read at once, whatever is due."""

import fcntl
import os
from datetime import timedelta
from pathlib import Path

import pytest

from include.days.archive import DayArchive
from include.errors import VaultUnmarkedError
from include.scrub.backups import BackupStatus, in_vault
from include.scrub.plan import ScrubBatch, batches, decide
from include.scrub.quick_check import QuickCheck
from include.scrub.scrubber import Scrubber
from include.scrub.throttle import StoppedError
from include.vault.locks import locked_existing
from include.vault.vault import MARKER, Vault
from tests.include.days.sample_days import DAY, WHEN
from tests.include.project_process import python
from tests.include.scrub.sample_backups import (
    CONTENTS,
    add,
    cut,
    day,
    flip,
    lose,
    no_pace,
    remove,
    writable,
)
from tests.include.vault.test_verification_log import found as entry
from tests.include.vms.sample_vms import lay
from tests.session.needs import plain_user

AGE = timedelta(days=30)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A vault with a day and an image, neither of which is due on the day of their verification."""
    vault = Vault.create(tmp_path / "vault")
    day(vault)
    lay(vault, verifications=[{"when": WHEN, "how": "It was read back.", "seconds": 1}])
    return vault


def no_log(_: str) -> None:
    """Don't log."""


def checked(vault: Vault) -> list[BackupStatus]:
    """Return the status of each backup after a quick check."""
    return QuickCheck(vault, no_log).statuses(in_vault(vault))


def planned(vault: Vault) -> list[ScrubBatch]:
    """Return the batches of a scrub that began when the backups were verified."""
    return batches(decide(checked(vault), WHEN, AGE))


def test_of_intact_backups_nothing_is_read(vault: Vault) -> None:
    """They aren't due; bytes that have flipped are found when they are."""
    flip(in_vault(vault)[0].folder / "a")
    [rest] = planned(vault)
    assert rest.not_read
    assert (rest.not_read.backups, rest.not_read.oldest) == (2, WHEN)


def lost(vault: Vault) -> None:
    """Remove a file."""
    lose(DayArchive(vault).published()[0].folder / "sub" / "b")


def added(vault: Vault) -> None:
    """Add a file."""
    add(DayArchive(vault).published()[0].folder / "c")


def shorter(vault: Vault) -> None:
    """Truncate a file."""
    cut(DayArchive(vault).published()[0].folder / "a", 100)


def longer(vault: Vault) -> None:
    """Append to a file."""
    cut(DayArchive(vault).published()[0].folder / "a", len(CONTENTS["a"]) + 1)


def fifo(vault: Vault) -> None:
    """Replace a file by a FIFO."""
    folder = DayArchive(vault).published()[0].folder
    lose(folder / "a")
    with writable(folder):
        os.mkfifo(folder / "a")


def no_record(vault: Vault) -> None:
    """Remove the record of a day."""
    DayArchive(vault).published()[0].record_file.unlink()


def no_sums(vault: Vault) -> None:
    """Remove the checksum list."""
    DayArchive(vault).published()[0].sums.unlink()


def fifo_log(vault: Vault) -> None:
    """Put a FIFO in the place of the verification log."""
    os.mkfifo(DayArchive(vault).published()[0].verification_log.path)


def fifo_folder(vault: Vault) -> None:
    """Replace the folder of a day by a FIFO."""
    folder = DayArchive(vault).published()[0].folder
    remove(folder)
    os.mkfifo(folder)


def linked_folder(vault: Vault) -> None:
    """Move a day out of the vault, and put a link in its place."""
    folder = DayArchive(vault).published()[0].folder
    folder.chmod(0o755)
    folder.rename(vault.root.parent / "elsewhere")
    folder.symlink_to(vault.root.parent / "elsewhere")


FOUND = [
    (fifo_folder, "268 is missing."),
    (linked_folder, "268 is replaced by a link."),
    (lost, "1 file is missing: 'sub/b'."),
    (added, "1 file is unexpected: 'c'."),
    (shorter, "1 file is shorter than published: 'a'."),
    (longer, "1 file is longer than published: 'a'."),
    (fifo, "1 file is replaced by a link, folder or special file: 'a'."),
    (no_record, "can't be read."),
    (no_sums, "'268.sha256' can't be read: "),
    (fifo_log, "What is beside it can't be read: [Errno 22] It is no regular file: "),
]


@pytest.mark.parametrize(("spoil", "sentence"), FOUND, ids=[spoil.__name__ for spoil, _ in FOUND])
def test_what_it_finds_is_read_at_once(vault: Vault, spoil: object, sentence: str) -> None:
    """By the same run, which records it; a FIFO makes nothing wait."""
    assert callable(spoil)
    spoil(vault)
    due, rest = planned(vault)
    assert due.backups == ("2026-268",)
    assert sentence in due.found[0]
    assert rest.not_read
    assert rest.not_read.backups == 1
    [result] = Scrubber(vault, "a run", no_pace).read_all(due.backups, WHEN)
    if spoil is fifo_log:
        assert (result.result, "The result can't be recorded" in " ".join(result.warnings)) == (
            "passed",
            True,
        )
    else:
        assert (result.result, in_vault(vault)[0].verification_log.damaged is None) == ("failed", False)


@pytest.mark.parametrize("name", ["domain.xml", "vda.img", "vda.chunks", "SHA256SUMS"])
def test_every_file_of_an_image_is_checked(vault: Vault, name: str) -> None:
    """Its size in the record; SHA256SUMS is read."""
    path = in_vault(vault)[1].folder / name
    cut(path, path.stat().st_size - 1)
    [_, image] = checked(vault)
    assert image.damage
    assert name in image.damage


def test_a_lost_file_of_an_older_revision_is_reported_once(vault: Vault) -> None:
    """A newer one is intact, so after that it isn't read again."""
    lost(vault)
    day(vault, CONTENTS | {"a": b"other"}, revision=2)
    due, _ = planned(vault)
    assert due.backups == ("2026-268",)
    list(Scrubber(vault, "a run", no_pace).read_all(due.backups, WHEN))
    [rest] = planned(vault)
    assert rest.not_read
    assert (rest.not_read.backups, rest.not_read.replaced) == (3, 1)


def test_a_day_without_its_list_of_sizes_is_read_each_time_with_a_warning(vault: Vault) -> None:
    """Its data are intact, but nothing else than reading them shows that."""
    [published] = DayArchive(vault).published()
    published.sizes.unlink()
    for _ in range(2):
        due, _ = planned(vault)
        assert (due.backups, due.found) == (("2026-268",), ())
        [result] = Scrubber(vault, "a run", no_pace).read_all(due.backups, WHEN + AGE * 99)
        assert result.result == "passed"
        [warning] = result.warnings
        assert warning.startswith("'268.sizes' can't be read: ")
        assert warning.endswith("So each scrub reads all of this day.")


REFUSED = """
import sys
from pathlib import Path
from include.scrub.backups import in_vault
from include.scrub.quick_check import QuickCheck
from include.vault.vault import Vault
vault = Vault(Path(sys.argv[1]))
for status in QuickCheck(vault, lambda line: None).statuses(in_vault(vault)):
    print(status.damage, status.unchecked)
"""


def test_a_folder_that_this_user_may_not_list_is_unknown_and_no_damage(vault: Vault) -> None:
    """So it is read, which reports that it can't be."""
    [day_backup, _] = in_vault(vault)
    (day_backup.folder / "sub").chmod(0)
    first, second = python(REFUSED, str(vault.root), prefix=plain_user()).splitlines()
    assert first == f"None This user may not read '{day_backup.folder}/sub'."
    assert second == "None "


def test_a_removed_or_locked_backup_isnt_checked(vault: Vault) -> None:
    """Retention removes it meanwhile."""
    backups = in_vault(vault)
    with locked_existing(backups[1].folder, fcntl.LOCK_EX, "retention"):
        assert [status.damage for status in checked(vault)] == [None, None]


def test_a_vault_that_is_unmounted_meanwhile_isnt_damage(vault: Vault) -> None:
    """The check ends."""
    backups = in_vault(vault)
    lost(vault)
    (vault.root / MARKER).unlink()
    with pytest.raises(VaultUnmarkedError):
        QuickCheck(vault, no_log).statuses(backups)


def test_a_day_that_is_published_meanwhile_is_left_for_the_next_scrub(vault: Vault) -> None:
    """The plan knows the backups of when it began."""
    backups = in_vault(vault)
    day(vault, CONTENTS, revision=2)
    assert len(QuickCheck(vault, no_log).statuses(backups)) == 2
    assert len(checked(vault)) == 3


def test_it_can_be_stopped(vault: Vault) -> None:
    """After the current backup."""
    check = QuickCheck(vault, no_log)
    check.throttle.stop()
    with pytest.raises(StoppedError):
        check.statuses(in_vault(vault))


def test_known_damage_isnt_checked_again(vault: Vault) -> None:
    """It is read each time, as long as nothing replaces it."""
    in_vault(vault)[0].verification_log.append(entry(result="failed", how="1 file is missing: 'x'."))
    lines = list[str]()
    found = QuickCheck(vault, lines.append).statuses(in_vault(vault))
    assert (found[0].damage, lines) == ("A scrub found it damaged: 1 file is missing: 'x'.", [])
    assert str(DAY) in found[0].backup.names
