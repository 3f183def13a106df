"""After a power cut at any moment of a day's backup, nothing wrong is published."""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from include.days.archive import DayArchive
from include.errors import DayNotVerifiedError
from tests.include.days.day_tasks import Rehearsal, Step, contents
from tests.include.days.sample_days import DAY
from tests.include.power_cut import Disk, lay_out
from tests.include.recorded_calls import recorded
from tests.session.needs import program

_STEPS = """
import json, sys
from tests.include.days.day_tasks import Rehearsal
rehearsal = Rehearsal(**json.loads(sys.argv[1]))
for step in sys.argv[2:]:
    rehearsal.do(step)
"""


@pytest.fixture
def rehearsal(rehearsal: Rehearsal) -> Rehearsal:
    """A published day; since then, one of its files has changed at the source."""
    program("strace")
    rehearsal = rehearsal.but(steps_per_day=None)
    rehearsal.write_files(same=b"same", changes=b"before")
    (rehearsal.folder / "sub").mkdir()
    (rehearsal.folder / "sub" / "same").write_bytes(b"deep")
    rehearsal.do()
    (rehearsal.folder / "changes").write_bytes(b"after")
    return rehearsal


def cut_at_each_point(rehearsal: Rehearsal, *steps: Step) -> Iterator[Rehearsal]:
    """Run steps in a process of its own; yield a rehearsal in each vault that a power cut may leave."""
    disk = Disk(Path(rehearsal.vault_root))
    calls = recorded([sys.executable, "-c", _STEPS, json.dumps(rehearsal.as_json()), *steps])
    number = 0
    for number, state in enumerate(disk.states_after(calls)):
        root = lay_out(state, Path(f"{rehearsal.vault_root}.{number}"))
        yield rehearsal.but(vault_root=str(root))
        shutil.rmtree(root)
    assert number > 5, "fewer states than it must have gone through"


def data(folder: Path) -> dict[str, object]:
    """Return a folder's content without times."""
    return {path: made[1] if isinstance(made, tuple) else made for path, made in contents(folder).items()}


def check_each(rehearsal: Rehearsal, versions: list[dict[str, object]], *steps: Step) -> None:
    """Cut steps at each point, publish what counts as verified, then run all steps.

    Args:
        rehearsal: the backup.
        versions: what may be published before the run that follows: the first is, the others may be.
        steps: the steps.
    """
    for cut in cut_at_each_point(rehearsal, *steps):
        with suppress(DayNotVerifiedError):
            cut.do("publish")
        before = [data(revision.folder) for revision in cut.published()]
        assert before in (versions[:1], versions)
        cut.do()
        after = [data(revision.folder) for revision in cut.published()]
        assert after == [*before, data(rehearsal.folder)] or after == before == [
            versions[0],
            data(rehearsal.folder),
        ]
        assert DayArchive(cut.vault).lost() == []


@pytest.mark.slow
def test_a_power_cut_during_a_backup(rehearsal: Rehearsal) -> None:
    """Nothing that isn't verified is published; the published revision stays as it is."""
    first = data(rehearsal.published()[0].folder)
    check_each(rehearsal, [first, data(rehearsal.folder)], "copy", "verify", "publish")


@pytest.mark.slow
def test_a_power_cut_while_a_verified_copy_is_replaced(rehearsal: Rehearsal) -> None:
    """The verified copy is published as it was verified, or not at all."""
    versions = [data(rehearsal.published()[0].folder), data(rehearsal.folder)]
    rehearsal.do("copy", "verify")
    (rehearsal.folder / "changes").write_bytes(b"AFTER")
    (rehearsal.folder / "same").unlink()
    check_each(rehearsal, versions, "copy")


@pytest.mark.slow
def test_a_power_cut_after_a_publication_that_was_cut_off(rehearsal: Rehearsal) -> None:
    """Staging shares files with the published revision then, and rsync writes in place."""
    first = rehearsal.published()[0]
    versions = [data(first.folder), data(rehearsal.folder)]
    rehearsal.do("copy", "verify")
    staged = DayArchive(rehearsal.vault).staged(DAY)
    staged.publishing.touch()
    (staged.data / "same").unlink()
    (staged.data / "same").hardlink_to(first.folder / "same")
    (rehearsal.folder / "same").write_bytes(b"SAME")
    check_each(rehearsal, versions, "copy")
