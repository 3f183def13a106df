"""Transfer: what rsync and ssh say is understood, and what they're given is taken literally."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include import errors, transfer
from include.errors import BackupError, PassingError, SourceRefusedError
from include.transfer import Route
from tests.include.rehearsal import contents
from tests.site.sshd import SshServer

RECORDED = sorted((Path(__file__).parent / "recorded" / "rsync").glob("*.txt"))
PASSING = {"ended", "file_cut_short", "file_vanished", "killed", "no_such_folder", "sender_killed"}
PASSING |= {"server_stopped", "silence", "unknown_host", "wire_cut"}


def recorded(path: Path) -> tuple[dict[str, str], str]:
    """Read a file of what rsync really said: facts about it, a blank line, then its words."""
    head, _, words = path.read_text(encoding="utf-8").partition("\n\n")
    return dict(line.split(": ", 1) for line in head.splitlines()), words.strip()


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_what_rsync_said_is_understood(path: Path) -> None:
    """As a class that tells whether to try again, a sentence of ours, and rsync's own words after it."""
    facts, words = recorded(path)
    error = transfer.failure(int(facts["status"]), words)
    assert type(error) is getattr(errors, facts["error"])
    assert str(error).startswith(facts["says"])
    assert words in str(error)


def test_only_what_may_pass_is_worth_another_try() -> None:
    """A full disk, a wrong key, a missing program don't go away by themselves."""
    failures = {
        path.stem: transfer.failure(int(facts["status"]), words)
        for path in RECORDED
        for facts, words in [recorded(path)]
    }
    assert {name for name, failure in failures.items() if isinstance(failure, PassingError)} == PASSING


@pytest.mark.parametrize("status", [1, 3, 23, 99])
def test_what_was_never_heard_before_is_told_as_it_is(status: int) -> None:
    """With or without words."""
    assert str(transfer.failure(status, "it is raining")) == (
        f"The copy failed. rsync ended with status {status}: it is raining"
    )
    assert str(transfer.failure(status, "")).endswith(f"status {status}: it said nothing")


def test_an_older_sender_that_doesnt_name_its_role_is_not_taken_for_the_vault() -> None:
    """Rsync before 3.2 says who it is at its end only; our own side is newer and always does."""
    words = 'rsync: send_files failed to open "/data/2026/268/x": Permission denied (13)'
    assert isinstance(transfer.failure(23, words), errors.DayUnusableError)


@pytest.fixture
def route(cluster: SshServer) -> Route:
    """The way to the cluster."""
    return Route("127.0.0.1", cluster.port, cluster.login, cluster.host_key, str(cluster.key_file))


def pull(route: Route, source: Path, into: Path) -> None:
    """Copy a folder."""
    with transfer.connected(route) as config:
        transfer.pull(config, str(source), into, lambda _: None)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with a file in it."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "file").write_bytes(b"x")
    return folder


def test_a_folder_is_copied_and_what_the_source_dropped_goes(
    route: Route, source: Path, tmp_path: Path
) -> None:
    """Into a folder that's made with those above it."""
    into = tmp_path / "a" / "b"
    for names in (("one", "two"), ("two", "three")):
        for path in source.iterdir():
            path.unlink()
        for name in names:
            (source / name).write_text(name)
        pull(route, source, into)
        assert {path.name: path.read_text() for path in into.iterdir()} == {name: name for name in names}


def test_a_stranger_in_the_clusters_place_is_sent_nothing(
    route: Route, source: Path, own_cluster: SshServer, tmp_path: Path
) -> None:
    """Rsync's ssh checks the connection's host key by itself, and knows no other list of hosts."""
    with pytest.raises(SourceRefusedError, match="shows another host key than the connection's host_key"):
        pull(replace(route, host_key=own_cluster.host_key), source, tmp_path / "copy")
    assert contents(tmp_path / "copy") == {}


@pytest.mark.parametrize("name", ["key with space", "key%h%%", "k'e$y", "key#"])
def test_a_key_files_name_is_taken_literally(route: Route, source: Path, tmp_path: Path, name: str) -> None:
    """As ssh_config(5) would have it otherwise, ``%h`` is the host."""
    key = tmp_path / name
    key.write_bytes(Path(str(route.key_file)).read_bytes())
    key.chmod(0o600)
    pull(replace(route, key_file=str(key)), source, tmp_path / "copy")
    assert contents(tmp_path / "copy") == contents(source)


@pytest.mark.parametrize("folder", ["x" * 120, "with space", "100%h", "quo\"te'"])
def test_any_folder_for_temporary_files_will_do(
    route: Route, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """Though a socket's path has at most 107 bytes, and ssh expands ``%`` in it."""
    (tmp_path / folder).mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    pull(route, source, tmp_path / "copy")
    assert contents(tmp_path / "copy") == contents(source)


def test_nothing_of_a_connection_is_left_behind(route: Route) -> None:
    """Neither the folder nor the ssh that keeps it, whatever ended the block."""
    with pytest.raises(ZeroDivisionError), transfer.connected(route) as config:  # noqa: PT012 - so does it end
        assert config.parent.stat().st_mode & 0o077 == 0
        raise ZeroDivisionError
    assert not config.parent.exists()
    mine = [path for path in Path("/proc").glob("[0-9]*/cmdline") if os.fsencode(config) in path.read_bytes()]
    assert mine == []


@pytest.mark.parametrize("field", ["host", "user", "host_key", "key_file"])
@pytest.mark.parametrize("sign", ['"', "\n", "\r", "\0"])
def test_what_cant_stand_in_an_ssh_configuration_is_refused(route: Route, field: str, sign: str) -> None:
    """A second line there would be a second setting, such as ProxyCommand."""
    facts: dict[str, Any] = {field: f"x{sign}ProxyCommand touch caught"}
    with pytest.raises(BackupError, match="can't stand in an SSH configuration"):
        replace(route, **facts)
