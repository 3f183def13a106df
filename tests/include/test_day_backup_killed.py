"""A worker that is killed at any moment leaves nothing half published, and the next one comes through."""

import subprocess
from collections.abc import Iterator
from itertools import count

import pytest

from tests.include.days import DAY, tree
from tests.include.rehearsal import ALL_STEPS, Rehearsal, Step
from tests.include.worker import Worker


@pytest.fixture
def rehearsal(rehearsal: Rehearsal) -> Rehearsal:
    """A published day of which one file of several has changed at the source since."""
    rehearsal = rehearsal.but(steps_per_day=None)
    rehearsal.write_files(same=b"same", changes=b"before")
    (rehearsal.folder / "sub").mkdir()
    (rehearsal.folder / "sub" / "same").write_bytes(b"deep")
    rehearsal.do()
    (rehearsal.folder / "changes").write_bytes(b"after")
    return rehearsal


def first_version(rehearsal: Rehearsal) -> dict[str, object]:
    """Give all of the first version; nothing may ever change it."""
    first = rehearsal.vault.revisions(DAY)[0]
    sidecars = {
        path.name: (path.stat().st_mode, path.read_bytes()) for path in (first.sums, first.record_file)
    }
    return tree(first.folder) | sidecars


def copies(rehearsal: Rehearsal) -> Iterator[Rehearsal]:
    """Give the same, again and again, each with a copy of the vault as it is now."""
    for number in count():
        copy = f"{rehearsal.vault_root}.{number}"
        subprocess.run(["cp", "--archive", rehearsal.vault_root, copy], check=True)  # hard links included
        yield rehearsal.but(vault_root=copy)


def killed_before_each_change(rehearsal: Rehearsal, worker: Worker, *steps: Step) -> Iterator[Rehearsal]:
    """Take steps in a copy of the vault, killed before the first change; before the second; and so on."""
    for change, copy in enumerate(copies(rehearsal), start=1):
        outcome = worker.do(copy, *steps, die_before=change)
        if not outcome.killed:
            assert outcome.error == ""
            assert change > 5, "it made fewer changes than it must: were they counted?"
            return
        yield copy


def is_whole(rehearsal: Rehearsal, first: dict[str, object]) -> bool:
    """Tell whether the second version is published whole, or not at all; the first is as it was."""
    assert first_version(rehearsal) == first
    names = rehearsal.published_names()
    if names == ["268"]:
        return False
    assert names == ["268", "268.r2"]
    assert rehearsal.is_published()
    return True


def comes_through(rehearsal: Rehearsal, worker: Worker, *steps: Step) -> None:
    """Take steps to the end, and see that the day is published once, whole and read-only."""
    first = first_version(rehearsal)
    outcome = worker.do(rehearsal, *steps)
    assert outcome.gave, outcome
    assert is_whole(rehearsal, first)
    assert not rehearsal.vault.staged(DAY).folder.exists()
    second = rehearsal.published()[-1].folder
    writable = [path for path in (second, *second.rglob("*")) if path.stat().st_mode & 0o222]
    assert writable == []


@pytest.mark.parametrize(
    ("step", "before"), [("copy", ()), ("prove", ("copy",)), ("publish", ("copy", "prove"))]
)
def test_a_worker_can_be_killed_before_each_change_it_makes(
    rehearsal: Rehearsal, worker: Worker, step: Step, before: tuple[Step, ...]
) -> None:
    """The task that it worked for is done again, as Airflow does, and then those that follow."""
    first = first_version(rehearsal)
    if before:
        rehearsal.do(*before)
    left: list[Step] = [one for one in ALL_STEPS if one not in before]
    seen = set()
    for killed in killed_before_each_change(rehearsal, worker, step):
        seen.add(is_whole(killed, first))
        comes_through(killed, worker, *left)
    assert seen == ({False, True} if step == "publish" else {False})


def test_a_change_after_a_killed_publishing_never_reaches_the_first_version(
    rehearsal: Rehearsal, worker: Worker
) -> None:
    """Staging shares files with the published day by then, and copies are written in place."""
    rehearsal.do("copy", "prove")
    first = first_version(rehearsal)
    halfway = [
        killed
        for killed in killed_before_each_change(rehearsal, worker, "publish")
        if len(rehearsal.vault.revisions(DAY)) == len(killed.vault.revisions(DAY))
    ][-1]
    shared = halfway.vault.staged(DAY).data / "same"
    assert shared.samefile(halfway.vault.revisions(DAY)[0].folder / "same")
    (rehearsal.folder / "same").write_bytes(b"other, and longer")
    (rehearsal.folder / "sub" / "same").write_bytes(b"DEEP")
    assert first_version(halfway) == first
    comes_through(halfway, worker, *ALL_STEPS)
