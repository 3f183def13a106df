"""The reference: used only if all is as it was when it was kept, on real file systems."""

from pathlib import Path
from typing import Any

import pytest

from include.agent.backup import references
from include.agent.durable_files import write_json
from include.agent.state_folder import StateFolder
from include.vms.carried import UnchangedRanges
from tests.include.agent.disks.test_clones import on

SET_UP = """
from include.agent.backup import references
from include.agent.durable_files import write_json
from include.agent.state_folder import StateFolder, read_json
UUID = "11111111-2222-3333-4444-555555555555"
folder = StateFolder(str(elsewhere / "s")).of(UUID)
folder.path.mkdir(parents=True)
vda = disk(there / "vda", 8 << 20)
base = {"generation": "last week", "chunks": {"vda": "abc"}}

def cloned(run):
    clone_folder = folder.new_clone_folder(there)
    clone_folder.mkdir(mode=0o700)
    made = clones.clone(vda, clone_folder)
    clones.sync([clone_folder])
    labels = references.labels([made], [vda])
    folder.journal.write("begin", run=run, clone_folders=[str(clone_folder)])
    folder.journal.write("ready", clones=labels)
    return labels

def unchanged(labels, **other):
    found = references.unchanged(folder, labels, {**base, **other})["vda"]
    return found.doubt or found.ranges

first = cloned("last run")
request = {"run": "last run", **base}
kept = [references.keep(folder, {**request, "run": "another"}), references.keep(folder, request)]
kept.append(references.keep(folder, request))
folder.journal.close()
reference = Path(references.folders(folder)[0], "vda.clone")
with (there / "vda").open("r+b") as file:
    file.seek(1 << 20)
    file.write(b"x")
second = cloned("this run")
"""

USED = (
    SET_UP
    + """
found = [kept, unchanged(second)]
os.rename(there / "vda", there / "vdb")
found.append(unchanged(second))
for name in ("another worker's", "this week"):
    references.keep(folder, {**request, "run": "this run", "generation": name})
left = [path.name for path in there.glob(".inpe*")]
found.append([len(left), left == [Path(references.folders(folder)[0]).name], unchanged(second)])
references.drop(folder, "of a test")
left = list(there.glob(".inpe*"))
found.append([len(left), unchanged(second).partition(": ")[2], references.drop(folder, "")])
print(json.dumps(found))
"""
)


@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_what_lies_at_the_same_place_hasnt_changed(short: Path, kind: str) -> None:
    """The next published clones take its place; once it's dropped, that's the reason why a disk is read."""
    kept, used, renamed, replaced, dropped = on(short, kind, USED)
    assert kept == ["its backup isn't open any more, or its disks weren't cloned", "", ""]
    block = (1 << 20) + 4096
    assert used == renamed == [[0, 1 << 20], [block, 8 << 20]]
    assert replaced == [1, True, "the reference is of this week, the vault's of last week"]
    assert dropped == [0, "of a test", False]


DOUBTED = (
    SET_UP
    + """
def touch():
    os.utime(reference)

def overwrite():
    with reference.open("r+b") as file:
        file.write(b"y")

def copy_over():
    subprocess.run(["cp", "--reflink=always", there / "vda", reference], check=True)

def put_another():
    other = reference.with_name("other")
    subprocess.run(["cp", "--archive", "--reflink=always", reference, other], check=True)
    other.rename(reference)

def elsewhere_now():
    target = elsewhere / "there.clone"
    subprocess.run(["cp", "--archive", reference, target], check=True)
    relabel(path=str(target))

def relabel(**other):
    label = read_json(folder.reference)
    label["disks"][0].update(other)
    write_json(folder.reference, label)

def of_another_vm():
    write_json(folder.reference, {**read_json(folder.reference), "uuid": "another"})

def grow():
    os.truncate(there / "vda", 9 << 20)
    second[:] = cloned("later")

def replace_disk():
    subprocess.run(["cp", "--reflink=always", there / "vda", there / "new"], check=True)
    (there / "new").rename(there / "vda")
    second[:] = cloned("later")

def touch_clone():
    os.utime(second[0]["path"])

def many():
    references.settled_maps.__globals__["MOST_MAPPED_EXTENTS"] = 0

changes = {
    "deleted": reference.unlink, "touched": touch, "written": overwrite, "copied over": copy_over,
    "another": put_another, "elsewhere": elsewhere_now, "of another VM": of_another_vm, "grown": grow,
    "replaced": replace_disk, "clone": touch_clone, "many": many, "a link": lambda: relabel(path="/nowhere"),
    "damaged": lambda: relabel(stamp=None), "cut": lambda: folder.reference.write_text("{"),
    "other chunks": lambda: base.update(chunks={"vda": "def"}), "nothing": lambda: None,
}
changes[sys.argv[2]]()
print(json.dumps(unchanged(second)))
"""
)
DOUBTS = {
    "deleted": "the reference can't be used: No such file or directory",
    "touched": "the reference was touched",
    "written": "the reference was touched",
    "copied over": "the reference was touched",
    "another": "the reference was touched",
    "elsewhere": "the reference can't be used: on ",
    "of another VM": "the reference is of another VM",
    "grown": "its size has changed",
    "replaced": "its disk is another file than before",
    "clone": "its clone was touched",
    "many": "it has more than 0 extents",
    "a link": "the reference can't be used: No such file or directory",
    "damaged": "the reference's label is damaged: ",
    "cut": "the host has no reference",
    "other chunks": "the reference is of other data than the vault's",
}


def doubt(short: Path, kind: str, what: str) -> Any:  # noqa: ANN401 - of JSON
    """Return what the agent knows after a change to the reference."""
    return on(short, kind, DOUBTED.replace("sys.argv[2]", repr(what)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
@pytest.mark.parametrize("what", DOUBTS)
def test_any_doubt_has_the_disk_read(short: Path, kind: str, what: str) -> None:
    """And the report says which. It is never an error."""
    assert str(doubt(short, kind, what)).startswith(DOUBTS[what])


@pytest.mark.parametrize("what", ["deleted", "copied over"])
def test_a_touched_reference_isnt_used(short: Path, what: str) -> None:
    """The whole list of doubts is among the slow tests."""
    assert str(doubt(short, "xfs", what)).startswith(DOUBTS[what])


def test_a_crash_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    """The clones of the reference before are removed by whoever looks next."""
    folder = StateFolder(str(tmp_path / "s")).of("11111111-2222-3333-4444-555555555555")
    folder.path.mkdir(parents=True)
    old, new = (folder.new_clone_folder(tmp_path) for _ in range(2))
    old.mkdir()
    new.mkdir()
    write_json(folder.reference, {"folders": [str(new)], "replaced": [str(old)]})
    references.remove_replaced(folder)
    assert (old.exists(), new.exists(), references.folders(folder)) == (False, True, [str(new)])


def test_a_reason_never_fails_a_backup(tmp_path: Path) -> None:
    """The worker refuses one that is long, or no text; systemd's errors, and paths, may be so."""
    folder = StateFolder(str(tmp_path)).of("11111111-2222-3333-4444-555555555555")
    folder.path.mkdir(parents=True)
    references.note_refusal(folder, "g", "\udcff" + "x" * 1000)
    found = references.unchanged(folder, [{"disk": "vda"}], {})["vda"]
    assert UnchangedRanges.model_validate(found._asdict()).doubt.startswith(
        r"the host kept no reference: \udcffxxx"
    )


UNMOUNTED = (
    SET_UP
    + """
def mounted(at, *command):
    subprocess.run([*command, at], check=True)
    return [len(list(there.glob(".inpe*"))), references.are_left(folder)]

found = [mounted(there, "umount")]
dropped = references.drop(folder, "of a test")
references.remove_replaced(folder)
found.append([dropped, references.folders(folder), references.are_left(folder)])
found.append(mounted(there, "mount", "-o", "loop", elsewhere / "image"))
references.remove_replaced(folder)
found.append([len(list(there.glob(".inpe*"))), references.are_left(folder)])
print(json.dumps(found))
"""
)


def test_a_reference_whose_file_system_isnt_mounted_is_removed_later(short: Path) -> None:
    """Its clones aren't there, and yet aren't gone: they would fill the disk once it is mounted again."""
    unmounted, dropped, mounted, removed = on(short, "xfs", UNMOUNTED)
    assert unmounted == [0, True]
    assert dropped == [True, [], True]
    assert mounted == [2, True]
    assert removed == [1, False]  # the open backup's


ROOM = """
from include.agent.backup import cloned_disks, references
from include.agent.durable_files import write_json
from include.agent.state_folder import StateFolder
folder = StateFolder(str(elsewhere / "s")).of("11111111-2222-3333-4444-555555555555")
folder.path.mkdir(parents=True)
kept = folder.new_clone_folder(there)
kept.mkdir()
write_json(folder.reference, {"folders": [str(kept)]})

def filled(path, size):
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)

vda = disk(there / "vda")
filled(kept / "vda.clone", 100 << 20)
filled(there / "filler", os.statvfs(there).f_bavail * 4096 - (60 << 20))
refusals = [clones.refusal([vda]) != "", clones.refusal([vda], may_make_room=references.are_left(folder))]
vm = {"problems": [], "disks": [vda], "unclonable": refusals[1]}
possible = cloned_disks.are_possible(folder, vm, "running", "cold")
print(json.dumps([*refusals, possible, vm["unclonable"], references.folders(folder), kept.exists()]))
"""


def test_a_reference_whose_room_the_next_backup_needs_is_dropped(short: Path) -> None:
    """The survey has nothing against cloning then: the plan would refuse the VM for want of space."""
    assert on(short, "xfs", ROOM) == [True, "", True, "", [], False]


def test_clones_on_a_file_system_that_is_gone_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be mounted again tomorrow; three weeks after the last change it isn't expected any more."""
    folder = StateFolder(str(tmp_path / "s")).of("11111111-2222-3333-4444-555555555555")
    folder.path.mkdir(parents=True)
    gone = str(folder.new_clone_folder(tmp_path))
    monkeypatch.setattr(references, "is_mounted", lambda *_: False)
    write_json(folder.reference, {"replaced": [gone], "file_systems": {gone: "reformatted"}})
    references.remove_replaced(folder, forget_after_s=60)
    assert references.are_left(folder)
    references.remove_replaced(folder, forget_after_s=-60)
    assert not references.are_left(folder)
