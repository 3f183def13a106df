"""The survey of a source over real SSH, in one round trip."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from include.days.source import Source, SourceState
from include.errors import BackupError, SourceRefusedError
from include.ordinal_day import window
from tests.include.days.day_tasks import Rehearsal
from tests.include.days.login_banners import force, with_programs
from tests.include.days.sample_days import DAY, hashed
from tests.include.tcp_proxy import Wire
from tests.site import supim
from tests.site.sshd import SshServer


@contextmanager
def opened(rehearsal: Rehearsal) -> Iterator[Source]:
    """Open a session to a source."""
    with rehearsal.backup() as backup:
        yield backup.source


def is_open(path: Path) -> bool:
    """Return whether any process has a file open."""
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if descriptor.readlink() == path:
                return True
    return False


def test_many_days_are_surveyed_over_one_connection(rehearsal: Rehearsal, cluster: SshServer) -> None:
    """Complete, incomplete and missing days, each with its reason."""
    days = window(DAY, 12)
    for day in days[:9]:
        supim.write_day(Path(rehearsal.source), day, steps=2)
    supim.half_write(supim.write_day(Path(rehearsal.source), days[9], steps=2))
    with Wire(cluster) as wire, opened(rehearsal.but(connection=wire.connection)) as source:
        surveyed = source.survey(reversed(days))
        source.survey(days)
        source.hashes("2026/257")
    assert wire.connections == 1
    assert list(surveyed) == days
    states = [SourceState.COMPLETE] * 9 + [SourceState.INCOMPLETE, SourceState.MISSING, SourceState.MISSING]
    assert [day.state for day in surveyed.values()] == states
    assert [bool(day.reason) for day in surveyed.values()] == [
        state is not SourceState.COMPLETE for state in states
    ]


def test_a_survey_has_the_size_of_a_day(rehearsal: Rehearsal) -> None:
    """In bytes, in bytes on a disk, and in files."""
    folder = rehearsal.write_day()
    (folder / "sub").mkdir()
    (folder / "sub" / "link").symlink_to("x")
    with opened(rehearsal) as source:
        day = source.survey([DAY])[DAY]
    sizes = [path.stat().st_size for path in folder.iterdir() if path.is_file()]
    assert (day.day, day.state, day.reason) == (DAY, SourceState.COMPLETE, "")
    assert (day.bytes, day.files) == (sum(sizes), 6)
    assert day.disk_bytes == sum(-(-size // 4096) * 4096 for size in sizes) + 2 * 4096


def test_a_fingerprint_changes_with_the_metadata_of_a_day(rehearsal: Rehearsal) -> None:
    """A changed time is enough; a special file doesn't count."""
    folder = rehearsal.write_day()

    def fingerprint(source: Source) -> str:
        return source.survey([DAY])[DAY].fingerprint

    with opened(rehearsal) as source:
        before = fingerprint(source)
        os.mkfifo(folder / "fifo")
        assert fingerprint(source) == before
        os.utime(folder / "data.dat.2026.268.0.0h")
        assert fingerprint(source) != before


def test_hashes_are_those_of_the_files_at_the_source(rehearsal: Rehearsal) -> None:
    """Computed there, and equal to those computed here."""
    folder = rehearsal.write_day()
    with opened(rehearsal) as source:
        assert list(source.hashes("2026/268")) == list(hashed(folder))


@pytest.mark.parametrize("root", ["/data/supim", "/data/supim/", "/"])
def test_a_days_path_at_the_source_has_no_double_slash(rehearsal: Rehearsal, root: str) -> None:
    """The path goes into the record."""
    with opened(rehearsal.but(source=root)) as source:
        assert source.path("2026/268") == f"{root.rstrip('/')}/2026/268"


def test_a_shell_that_prints_at_log_in_is_reported(rehearsal: Rehearsal, own_cluster: SshServer) -> None:
    """A greeting of a start-up file comes before the answer."""
    force(own_cluster, "echo Welcome to the cluster; exec")
    with (
        opened(rehearsal.but(connection=own_cluster.connection)) as source,
        pytest.raises(BackupError) as garbled,
    ):
        source.survey([DAY])
    assert str(garbled.value) == (
        r"Unexpected output: the source supim_cluster sent b'Welcome to the cluster\n'. "
        "Does its shell's start-up file print something?"
    )


def test_a_source_without_python_is_reported(
    rehearsal: Rehearsal, own_cluster: SshServer, tmp_path: Path
) -> None:
    """Or with a broken one, with its error."""
    programs = tmp_path / "programs"
    programs.mkdir()
    with_programs(own_cluster, programs)
    rehearsal = rehearsal.but(connection=own_cluster.connection)
    with (
        opened(rehearsal) as source,
        pytest.raises(BackupError, match=r"\(connection supim_cluster\) has no python3 on its PATH"),
    ):
        source.survey([DAY])
    (programs / "python3").write_text("#!/bin/sh\necho libpython3.so: no such library >&2\nexit 3\n")
    (programs / "python3").chmod(0o755)
    with (
        opened(rehearsal) as source,
        pytest.raises(BackupError, match=r"status 3: libpython3\.so: no such lib"),
    ):
        source.survey([DAY])


def test_a_source_can_be_surveyed_again_after_an_error(rehearsal: Rehearsal) -> None:
    """In the same session, or in a new one."""
    rehearsal.write_day()
    root = Path(rehearsal.source)
    with opened(rehearsal) as source:
        root.rename(root.with_name("unmounted"))
        with pytest.raises(SourceRefusedError):
            source.survey([DAY])
        root.with_name("unmounted").rename(root)
        assert source.survey([DAY])[DAY].state is SourceState.COMPLETE


def test_a_request_can_be_cancelled_and_the_next_one_gets_its_own_answer(rehearsal: Rehearsal) -> None:
    """The request fails at once, and a late answer is never taken for the next request's."""
    rehearsal.write_day()
    endless = rehearsal.folder.with_name("endless")
    endless.mkdir()
    (endless / "file").touch()
    os.truncate(endless / "file", 1 << 42)
    errors: list[BackupError] = []

    with opened(rehearsal) as source:

        def hash_endless() -> None:
            with pytest.raises(BackupError) as cancelled:
                source.hashes("2026/endless")
            errors.append(cancelled.value)

        source.survey([DAY])
        hashing = threading.Thread(target=hash_endless)
        hashing.start()
        while not is_open(endless / "file"):  # the test's time limit is the deadline
            time.sleep(0.01)
        source.close()
        hashing.join()
        assert errors
        assert source.survey([DAY])[DAY].state is SourceState.COMPLETE
