"""rsync and ssh: their errors are mapped to ours, and paths are passed to them literally."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include import errors
from include.errors import BackupError, SourceRefusedError, TransientError
from include.remote import rsync
from include.remote.failures import PULL_MEANINGS, failure
from include.remote.ssh import Endpoint, connected
from tests.include.days.day_tasks import contents
from tests.site.sshd import SshServer

RECORDED = sorted((Path(__file__).parent / "recorded" / "rsync").glob("*.txt"))
TRANSIENT = {
    "ended",
    "file_cut_short",
    "file_vanished",
    "killed",
    "no_such_folder",
    "sender_killed",
    "shell_reports_a_signal",
}
TRANSIENT |= {"server_stopped", "silence", "unknown_host", "wire_cut"}


def recorded(path: Path) -> tuple[dict[str, str], str]:
    """Read a recorded failure of rsync: what is expected of it, a blank line, then its standard error."""
    head, _, stderr = path.read_text(encoding="utf-8").partition("\n\n")
    return dict(line.split(": ", 1) for line in head.splitlines()), stderr.strip()


def pull_error(status: int, stderr: str) -> BackupError:
    """Return the error that rsync's exit status means in a pull."""
    return failure(status, stderr, "rsync", "the source", PULL_MEANINGS)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_failure_of_rsync_is_mapped_to_our_error(path: Path) -> None:
    """With our message, followed by rsync's own."""
    expected, stderr = recorded(path)
    error = pull_error(int(expected["status"]), stderr)
    assert type(error) is getattr(errors, expected["error"])
    assert str(error).startswith(expected["message"])
    assert stderr in str(error)


def test_only_transient_failures_are_retried() -> None:
    """Waiting doesn't help a full disk, a wrong key or a missing program."""
    records = {path.stem: recorded(path) for path in RECORDED}
    failures = {name: pull_error(int(head["status"]), stderr) for name, (head, stderr) in records.items()}
    assert {name for name, failure in failures.items() if isinstance(failure, TransientError)} == TRANSIENT


@pytest.mark.parametrize("status", [1, 3, 23, 99])
def test_an_unknown_failure_is_reported_with_rsyncs_message(status: int) -> None:
    """Or with its exit status alone."""
    assert str(pull_error(status, "it is raining")) == (
        f"The copy failed. rsync ended with status {status}: it is raining"
    )
    assert str(pull_error(status, "")).endswith(f"status {status}: no message")


def test_an_older_sender_that_doesnt_name_its_role_is_not_taken_for_the_vault() -> None:
    """Rsync before 3.2 names its role in its last line only; our own rsync is newer and always does."""
    stderr = 'rsync: send_files failed to open "/data/2026/268/x": Permission denied (13)'
    assert isinstance(pull_error(23, stderr), errors.DayUnusableError)


@pytest.fixture
def endpoint(cluster: SshServer) -> Endpoint:
    """The endpoint of the cluster."""
    key = cluster.key_file.read_text(encoding="ascii")
    return Endpoint("127.0.0.1", cluster.port, cluster.login, cluster.host_key, key)


def pull(endpoint: Endpoint, source: Path, into: Path) -> None:
    """Copy a folder."""
    with connected(endpoint) as config:
        rsync.pull(config, str(source), into, lambda _: None)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with a file in it."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "file").write_bytes(b"x")
    return folder


def test_a_folder_is_copied_and_what_the_source_dropped_is_removed(
    endpoint: Endpoint, source: Path, tmp_path: Path
) -> None:
    """Into a folder that is created with those above it."""
    into = tmp_path / "a" / "b"
    for names in (("one", "two"), ("two", "three")):
        for path in source.iterdir():
            path.unlink()
        for name in names:
            (source / name).write_text(name)
        pull(endpoint, source, into)
        assert {path.name: path.read_text() for path in into.iterdir()} == {name: name for name in names}


def test_a_server_with_another_host_key_is_sent_nothing(
    endpoint: Endpoint, source: Path, own_cluster: SshServer, tmp_path: Path
) -> None:
    """Rsync's ssh checks the connection's host key by itself, and reads no other known_hosts."""
    with pytest.raises(SourceRefusedError, match="shows another host key than the connection's host_key"):
        pull(replace(endpoint, host_key=own_cluster.host_key), source, tmp_path / "copy")
    assert contents(tmp_path / "copy") == {}


@pytest.mark.parametrize("folder", ["x" * 120, "with space", "100%h", "quo\"te'"])
def test_the_folder_for_temporary_files_may_have_any_name(
    endpoint: Endpoint, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """Although a socket's path has at most 107 bytes, and ssh expands ``%`` in it."""
    (tmp_path / folder).mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    pull(endpoint, source, tmp_path / "copy")
    assert contents(tmp_path / "copy") == contents(source)


def test_a_connection_leaves_nothing_behind(endpoint: Endpoint) -> None:
    """Neither its folder nor its master connection, even after an error."""
    with pytest.raises(ZeroDivisionError), connected(endpoint) as config:  # noqa: PT012 - the block must fail
        assert config.parent.stat().st_mode & 0o077 == 0
        raise ZeroDivisionError
    assert not config.parent.exists()
    mine = [path for path in Path("/proc").glob("[0-9]*/cmdline") if os.fsencode(config) in path.read_bytes()]
    assert mine == []


@pytest.mark.parametrize("field", ["host", "user", "host_key"])
@pytest.mark.parametrize("char", ['"', "\n", "\r", "\0"])
def test_a_value_that_could_change_the_ssh_configuration_is_refused(
    endpoint: Endpoint, field: str, char: str
) -> None:
    """A second line would be a second setting, such as ProxyCommand."""
    value: dict[str, Any] = {field: f"x{char}ProxyCommand touch caught"}
    with pytest.raises(BackupError, match="isn't allowed in an SSH configuration"):
        replace(endpoint, **value)
