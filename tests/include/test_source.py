"""The source, asked over real SSH: what it holds of each day, in one round trip."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from include.errors import BackupError, SourceRefusedError
from include.ordinal_day import window
from include.source import Source, State
from tests.include.days import DAY, hashed
from tests.include.logins import force, with_programs
from tests.include.rehearsal import Rehearsal
from tests.include.wire import Wire
from tests.site import supim
from tests.site.sshd import SshServer


@contextmanager
def opened(rehearsal: Rehearsal) -> Iterator[Source]:
    """Give a session to a source."""
    with rehearsal.backup() as backup:
        yield backup.source


def is_open(path: Path) -> bool:
    """Tell whether some process has a file open."""
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if descriptor.readlink() == path:
                return True
    return False


def test_many_days_are_looked_at_over_one_connection(rehearsal: Rehearsal, cluster: SshServer) -> None:
    """Complete, incomplete, missing and twice there; each is told by itself."""
    days = window(DAY, 12)
    for day in days[:9]:
        supim.write_day(Path(rehearsal.source), day, steps=2)
    supim.half_write(supim.write_day(Path(rehearsal.source), days[9], steps=2))
    with Wire(cluster) as wire, opened(rehearsal.but(connection=wire.connection)) as source:
        looks = {day: sighting.look for day, sighting in source.look(reversed(days)).items()}
        source.look(days)
        source.hashes("2026/257")
    assert wire.connections == 1
    assert list(looks) == days
    states = [State.COMPLETE] * 9 + [State.INCOMPLETE, State.MISSING, State.MISSING]
    assert [look.state for look in looks.values()] == states
    assert [bool(look.reason) for look in looks.values()] == [state is not State.COMPLETE for state in states]


def test_a_look_tells_how_much_there_is(rehearsal: Rehearsal) -> None:
    """In bytes, in bytes on a disk, and in files; for planning and for room."""
    folder = rehearsal.write_day()
    (folder / "sub").mkdir()
    (folder / "sub" / "link").symlink_to("x")
    with opened(rehearsal) as source:
        look = source.look([DAY])[DAY].look
    sizes = [path.stat().st_size for path in folder.iterdir() if path.is_file()]
    assert (look.day, look.state, look.reason) == (DAY, State.COMPLETE, "")
    assert (look.bytes, look.files) == (sum(sizes), 6)
    assert look.disk_bytes == sum(-(-size // 4096) * 4096 for size in sizes) + 2 * 4096


def test_a_fingerprint_changes_with_what_is_seen_of_a_day(rehearsal: Rehearsal) -> None:
    """A touch is enough, and a special file is nothing."""
    folder = rehearsal.write_day()

    def fingerprint(source: Source) -> str:
        return source.look([DAY])[DAY].look.fingerprint

    with opened(rehearsal) as source:
        before = fingerprint(source)
        os.mkfifo(folder / "fifo")
        assert fingerprint(source) == before
        os.utime(folder / "data.dat.2026.268.0.0h")
        assert fingerprint(source) != before


def test_hashes_are_those_of_the_files_at_the_source(rehearsal: Rehearsal) -> None:
    """Computed there; the same as here."""
    folder = rehearsal.write_day()
    with opened(rehearsal) as source:
        assert source.hashes("2026/268") == hashed(folder)


@pytest.mark.parametrize("root", ["/data/supim", "/data/supim/", "/"])
def test_a_days_path_at_the_source_has_no_double_slash(rehearsal: Rehearsal, root: str) -> None:
    """The record names it."""
    with opened(rehearsal.but(source=root)) as source:
        assert source.path("2026/268") == f"{root.rstrip('/')}/2026/268"


def test_a_shell_that_talks_at_log_in_is_told(rehearsal: Rehearsal, own_cluster: SshServer) -> None:
    """A greeting in a start-up file stands before the answer."""
    force(own_cluster, "echo Welcome to the cluster; exec")
    with (
        opened(rehearsal.but(connection=own_cluster.connection)) as source,
        pytest.raises(BackupError) as garbled,
    ):
        source.look([DAY])
    assert str(garbled.value) == (
        r"The source answered something else than facts: b'Welcome to the cluster\n'. "
        "Does its shell's start-up file print something?"
    )


def test_a_source_without_python_is_told(
    rehearsal: Rehearsal, own_cluster: SshServer, tmp_path: Path
) -> None:
    """Or with one that doesn't work, in its own words."""
    programs = tmp_path / "programs"
    programs.mkdir()
    with_programs(own_cluster, programs)
    rehearsal = rehearsal.but(connection=own_cluster.connection)
    with (
        opened(rehearsal) as source,
        pytest.raises(BackupError, match=r"\(connection supim_cluster\) has no python3 on its PATH"),
    ):
        source.look([DAY])
    (programs / "python3").write_text("#!/bin/sh\necho libpython3.so: no such library >&2\nexit 3\n")
    (programs / "python3").chmod(0o755)
    with (
        opened(rehearsal) as source,
        pytest.raises(BackupError, match=r"status 3: libpython3\.so: no such lib"),
    ):
        source.look([DAY])


def test_a_refused_question_is_no_reason_not_to_ask_again(rehearsal: Rehearsal) -> None:
    """The session goes on, or another is begun."""
    rehearsal.write_day()
    root = Path(rehearsal.source)
    with opened(rehearsal) as source:
        root.rename(root.with_name("unmounted"))
        with pytest.raises(SourceRefusedError):
            source.look([DAY])
        root.with_name("unmounted").rename(root)
        assert source.look([DAY])[DAY].look.state is State.COMPLETE


def test_a_question_can_be_given_up_and_the_next_gets_its_own_answer(rehearsal: Rehearsal) -> None:
    """The source would work for hours: whoever asked is told, and no late answer is taken for another."""
    rehearsal.write_day()
    endless = rehearsal.folder.with_name("endless")
    endless.mkdir()
    (endless / "file").touch()
    os.truncate(endless / "file", 1 << 42)
    told: list[BackupError] = []

    with opened(rehearsal) as source:

        def ask() -> None:
            with pytest.raises(BackupError) as given_up:
                source.hashes("2026/endless")
            told.append(given_up.value)

        source.look([DAY])
        asking = threading.Thread(target=ask)
        asking.start()
        while not is_open(endless / "file"):  # the test's time limit is the deadline
            time.sleep(0.01)
        source.close()
        asking.join()
        assert told
        assert source.look([DAY])[DAY].look.state is State.COMPLETE
