"""A publication that is killed at any of its steps: no week is lost, nothing is half published."""

from pathlib import Path

import pytest

from tests.include.agent.disks.test_clones import on

PUBLICATION, HOST = "include.vms.publication", "tests.include.vms.cloned_host.CloningHost.keep_reference"
STEPS = {
    "record": (f"{PUBLICATION}._write", 1, False),
    "sums": (f"{PUBLICATION}._write", 2, False),
    "read-only": (f"{PUBLICATION}._make_read_only", 1, True),
    "synced": (f"{PUBLICATION}.sync", 1, True),
    "renamed": (f"{PUBLICATION}.sync", 2, False),
    "staging cleared": ("include.vms.archive.StagedVm.clear", 1, True),
    "sealed": ("include.vms.archive.PublishedVm.seal", 1, True),
    "clones kept": (HOST, 1, True),
}
"""The call at which it is killed: its function, which call, and whether that was made."""

SCRIPT = """
import stat
from pkgutil import resolve_name
import pytest
from tests.include.vms.cloned_host import Weeks
from tests.include.vms.folder_host import REQUEST
from include.vms.archive import VmArchive

class Killed(BaseException):
    pass

def killed_at(name, call, made):
    original, calls = resolve_name(name), []

    def instead(*arguments):
        calls.append(1)
        if len(calls) == call and not made:
            raise Killed
        result = original(*arguments)
        if len(calls) == call:
            raise Killed
        return result

    patch = pytest.MonkeyPatch()
    patch.setattr(name, instead)
    return patch

def publish(*killed, again=False):
    with vda.open("r+b") as file:
        file.seek(weeks.week << 20)
        file.write(os.urandom(1000))
    if not killed:
        return weeks.publish()
    backup = weeks.backup()
    begun = backup.begin_backup(REQUEST.model_copy(update={"run": backup.run}))
    backup.transfer(begun)
    backup.verify(begun)
    patch = killed_at(*killed)
    with pytest.raises(Killed):
        backup.publish(begun)
    patch.undo()
    if again:
        backup.publish(begun)
    backup.end_backup()

weeks = Weeks(there, elsewhere)
vda, found = weeks.disk, []
vda.write_bytes(os.urandom(12 << 20))
try:
    publish()
    publish(*killed, again=again)
    publish()
    publish()
    modes = [stat.S_IMODE(one.folder.stat().st_mode) for one in VmArchive(weeks.vault).of("maq1")]
    print(json.dumps([modes, weeks.counts()[1] > 0, len(list(there.glob(".inpe*")))]))
finally:
    weeks.end()
"""


def weeks(short: Path, step: str, *, again: bool) -> None:
    """Kill the second of four weeks' publications; all four are in the vault then, and the last carries."""
    script = f"killed, again = {STEPS[step]!r}, {again}\n{SCRIPT}"
    modes, carried, references = on(short, "xfs", script)
    assert (len(set(modes)), len(modes)) == (1, 4)
    assert not modes[0] & 0o222
    assert (carried, references) == (True, 1)


@pytest.mark.slow
@pytest.mark.parametrize("again", [True, False], ids=["tried again", "not tried again"])
@pytest.mark.parametrize("step", STEPS)
def test_two_weeks_after_a_killed_publication_all_is_well(short: Path, step: str, *, again: bool) -> None:
    """Whether Airflow tries it again, or the next run finds it."""
    weeks(short, step, again=again)


def test_a_publication_that_is_killed_before_its_rename_is_the_next_runs(short: Path) -> None:
    """The whole list of steps is among the slow tests."""
    weeks(short, "synced", again=False)
