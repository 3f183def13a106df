"""A worker that is killed at any moment leaves nothing half published, and the next one finishes the work."""

import subprocess
from collections.abc import Iterator
from itertools import count

import pytest

from include.days.archive import DayArchive
from tests.include.days.day_tasks import ALL_STEPS, Rehearsal, Step
from tests.include.days.sample_days import DAY, tree
from tests.include.days.worker import Worker


@pytest.fixture
def rehearsal(rehearsal: Rehearsal) -> Rehearsal:
    """A published day; since then, one of its files has changed at the source."""
    rehearsal = rehearsal.but(steps_per_day=None)
    rehearsal.write_files(same=b"same", changes=b"before")
    (rehearsal.folder / "sub").mkdir()
    (rehearsal.folder / "sub" / "same").write_bytes(b"deep")
    rehearsal.do()
    (rehearsal.folder / "changes").write_bytes(b"after")
    return rehearsal


def first_revision(rehearsal: Rehearsal) -> dict[str, object]:
    """Return everything of the first revision; nothing may ever change it."""
    first = DayArchive(rehearsal.vault).revisions(DAY)[0]
    sidecars = {
        path.name: (path.stat().st_mode, path.read_bytes()) for path in (first.sums, first.record_file)
    }
    return tree(first.folder) | sidecars


def copies(rehearsal: Rehearsal) -> Iterator[Rehearsal]:
    """Yield the same rehearsal repeatedly, each with a new copy of the vault."""
    for number in count():
        copy = f"{rehearsal.vault_root}.{number}"
        subprocess.run(["cp", "--archive", rehearsal.vault_root, copy], check=True)  # hard links included
        yield rehearsal.but(vault_root=copy)


def killed_before_each_change(rehearsal: Rehearsal, worker: Worker, *steps: Step) -> Iterator[Rehearsal]:
    """Run steps in a copy of the vault, killed before the first change, then before the second, and so on."""
    for change, copy in enumerate(copies(rehearsal), start=1):
        outcome = worker.do(copy, *steps, die_before=change)
        if not outcome.killed:
            assert outcome.error == ""
            assert change > 5, "fewer changes were counted than it must have made"
            return
        yield copy


def is_published(rehearsal: Rehearsal, first: dict[str, object]) -> bool:
    """Check that the first revision is unchanged; return whether the second is published, and complete."""
    assert first_revision(rehearsal) == first
    names = rehearsal.published_names()
    if names == ["268"]:
        return False
    assert names == ["268", "268.r2"]
    assert rehearsal.is_published()
    return True


def check_finishes(rehearsal: Rehearsal, worker: Worker, *steps: Step) -> None:
    """Run steps to the end; check that the day is published once, complete and read-only."""
    first = first_revision(rehearsal)
    outcome = worker.do(rehearsal, *steps)
    assert outcome.record, outcome
    assert is_published(rehearsal, first)
    assert not DayArchive(rehearsal.vault).staged(DAY).folder.exists()
    second = rehearsal.published()[-1].folder
    writable = [path for path in (second, *second.rglob("*")) if path.stat().st_mode & 0o222]
    assert writable == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "before"),
    [("copy", ()), ("verify", ("copy",)), ("publish", ("copy", "verify"))],
    ids=["copy", "verify", "publish"],
)
def test_a_worker_can_be_killed_before_each_change_it_makes(
    rehearsal: Rehearsal, worker: Worker, step: Step, before: tuple[Step, ...]
) -> None:
    """The killed task is repeated, as Airflow does, and then the following tasks run."""
    first = first_revision(rehearsal)
    if before:
        rehearsal.do(*before)
    left: list[Step] = [each for each in ALL_STEPS if each not in before]
    seen = set()
    for killed in killed_before_each_change(rehearsal, worker, step):
        seen.add(is_published(killed, first))
        check_finishes(killed, worker, *left)
    assert seen == ({False, True} if step == "publish" else {False})


def test_a_change_after_a_killed_publication_never_reaches_the_first_revision(
    rehearsal: Rehearsal, worker: Worker
) -> None:
    """Staging shares files with the published day then, and rsync writes in place."""
    rehearsal.do("copy", "verify")
    first = first_revision(rehearsal)
    halfway = [
        killed
        for killed in killed_before_each_change(rehearsal, worker, "publish")
        if len(DayArchive(rehearsal.vault).revisions(DAY)) == len(DayArchive(killed.vault).revisions(DAY))
    ][-1]
    shared = DayArchive(halfway.vault).staged(DAY).data / "same"
    assert shared.samefile(DayArchive(halfway.vault).revisions(DAY)[0].folder / "same")
    (rehearsal.folder / "same").write_bytes(b"other, and longer")
    (rehearsal.folder / "sub" / "same").write_bytes(b"DEEP")
    assert first_revision(halfway) == first
    check_finishes(halfway, worker, *ALL_STEPS)
