"""After a power cut at any moment, what is referred to is there."""

import sys
from pathlib import Path

import pytest

from tests.include.power_cut import Disk, State
from tests.include.recorded_calls import Call, recorded
from tests.session.needs import program

ORDERS = {
    "as it should be": ("open write fsync rename folder", True),
    "content not synced": ("open write rename folder", False),
    "content synced too late": ("open write rename folder fsync", False),
    "name not synced": ("open write fsync rename", False),
}
"""Orders of the calls that write a file whole, and whether it is safe at the end, and never half there."""


def calls(order: str, root: Path) -> list[Call]:
    """Return calls that write ``made`` whole, through ``part``."""
    part, made = f"{root}/part", f"{root}/made"
    each = {
        "open": Call("openat", paths=[part], words=["O_WRONLY|O_CREAT"]),
        "write": Call("write", fds=[part], strings=[b"whole"], words=["5"], result=5),
        "fsync": Call("fsync", fds=[part if order.index("fsync") < order.index("rename") else made])
        if "fsync" in order
        else Call("fsync", fds=["/elsewhere"]),
        "rename": Call("rename", paths=[part, made]),
        "folder": Call("fsync", fds=[str(root)]),
    }
    return [each[word] for word in order.split()]


def content(state: State, path: str) -> object:
    """Return what a path has in a state; an empty string if it isn't there."""
    return state.get(path, (0, ""))[1]


@pytest.mark.parametrize("order", ORDERS)
def test_the_model_finds_a_wrong_order(tmp_path: Path, order: str) -> None:
    """A file that is written whole is there complete or not at all, and stays once that is done."""
    words, is_right = ORDERS[order]
    disk = Disk(tmp_path)
    states = list(disk.states_after(calls(words, tmp_path)))
    whole_or_not_there = {content(state, "made") for state in states} <= {b"whole", ""}
    stays = {content(state, "made") for state in disk.states()} == {b"whole"}
    assert (whole_or_not_there and stays) == is_right


def test_a_recording_is_replayed_as_it_happened(tmp_path: Path) -> None:
    """Of several processes, with names of all kinds; at the end, the model is as the folder is."""
    program("strace")
    root = tmp_path / "root"
    (root / "there").mkdir(parents=True)
    (root / "there" / "old").write_bytes(b"0123456789")
    disk = Disk(root)
    script = r"""
import os, subprocess, sys
os.chdir(sys.argv[1])
os.mkdir("a b"); os.symlink("x\ny", "a b/link"); os.link("there/old", "a b/second name")
with open("there/old", "r+b") as file: file.seek(3); file.write(b"abc"); file.flush(); file.truncate(8)
folder = os.open("there", os.O_RDONLY)
with open("there/log", "ab") as log: log.write(b"one\n")
with open("there/log", "ab") as log: log.write(b"two\n")
os.rename("log", "new\xff", src_dir_fd=folder, dst_dir_fd=folder)
one, two = os.open("there/old", os.O_RDONLY), os.open("copied", os.O_WRONLY | os.O_CREAT)
os.copy_file_range(one, two, 5, 2, 1); os.pwrite(two, b"end", 8); os.writev(two, [b"a", b"b"])
subprocess.run(["sh", "-c", "cd there && echo shell > by-shell && rm new*; mkdir made; rmdir made; sync"])
"""
    list(disk.states_after(recorded([sys.executable, "-c", script, str(root)])))
    after = {tuple(contents(state)) for state in disk.states()}
    assert after == {tuple(contents(state)) for state in Disk(root).states()}
    assert {"a b/second name", "copied", "there/by-shell", "there/old"} < next(disk.states()).keys()


def contents(state: State) -> list[tuple[str, object]]:
    """Return a state without its inodes."""
    return [(path, made) for path, (_, made) in state.items()]
