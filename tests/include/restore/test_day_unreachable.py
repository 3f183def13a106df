"""A target that can't be reached is worth another try; one that refuses, or is another, needs a person."""

import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from include.errors import BackupError, ConfigError, SourceRefusedError, SourceUnreachableError, TargetError
from tests.include import logins
from tests.include.rehearsal import contents
from tests.include.restore.work import PLAIN, Work, publish
from tests.include.wire import Wire
from tests.site.sshd import SshServer

MB = 1 << 20


@pytest.fixture
def work(here: Work, own_cluster: SshServer, monkeypatch: pytest.MonkeyPatch) -> Work:
    """A folder behind an SSH server of its own, and a day for it."""
    monkeypatch.setenv("AIRFLOW_CONN_TARGET_HOST", json.dumps(own_cluster.connection))
    publish(here.vault, PLAIN)
    return here.but(connection="target_host")


def refused(work: Work, error: type[BackupError]) -> str:
    """Give the sentence with which a restore is refused, before anything is written."""
    with pytest.raises(error) as told:
        work.restore()
    assert type(told.value) is error
    assert list(Path(work.folder).iterdir()) == []
    return str(told.value)


def test_a_stopped_server_is_unreachable_until_it_runs_again(work: Work, own_cluster: SshServer) -> None:
    """The message says who was asked, by which connection."""
    own_cluster.stop()
    assert "(connection target_host) can't be reached, or went away" in refused(work, SourceUnreachableError)
    own_cluster.start()
    work.restore()
    assert (work.day / "a").read_bytes() == PLAIN["a"]


def test_a_refused_key_and_another_host_key_need_a_person(work: Work, own_cluster: SshServer) -> None:
    """Nothing is sent to a stranger."""
    own_cluster.refuse_key()
    assert "refuses the connection's key" in refused(work, SourceRefusedError)
    own_cluster.accept_key()
    own_cluster.change_host_key()
    assert "shows another host key than the connection's host_key" in refused(work, SourceRefusedError)


def test_a_connection_that_doesnt_pin_the_host_key_is_refused(
    work: Work, own_cluster: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any of Airflow's SSH connections may be a target, if it does."""
    loose = own_cluster.connection | {"extra": {"key_file": str(own_cluster.key_file)}}
    monkeypatch.setenv("AIRFLOW_CONN_TARGET_HOST", json.dumps(loose))
    assert "must pin the server's host key" in refused(work, ConfigError)


def test_a_connection_that_breaks_while_files_are_sent_goes_on_where_it_was(
    work: Work, own_cluster: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has arrived is kept under its name of the way; the next try ends it, and leaves nothing behind."""
    published = publish(work.vault, PLAIN | {"big": os.urandom(32 * MB)})
    staging = work.day.with_name(".268.restoring")

    def half_there(_: Wire) -> bool:
        return (staging / "big").exists() and (staging / "a").exists()

    with Wire(own_cluster, half_there, Wire.cut) as wire:
        monkeypatch.setenv("AIRFLOW_CONN_TARGET_HOST", json.dumps(wire.connection))
        with pytest.raises(SourceUnreachableError):
            work.restore()
    assert not work.day.exists()
    kept = (staging / "a").stat().st_ino
    monkeypatch.setenv("AIRFLOW_CONN_TARGET_HOST", json.dumps(own_cluster.connection))
    work.restore_once_free()
    assert contents(work.day) == contents(published.folder)
    assert (work.day / "a").stat().st_ino == kept
    assert work.left_over() == []


def with_programs(server: SshServer, folder: Path, *names: str) -> None:
    """Let the account find some programs, and no others."""
    folder.mkdir()
    for name in names:
        found = shutil.which(name, path="/usr/bin:/bin")
        assert found
        (folder / name).symlink_to(found)
    logins.with_programs(server, folder)


def test_a_target_without_rsync_or_python_says_what_to_install(
    work: Work, own_cluster: SshServer, tmp_path: Path
) -> None:
    """Nothing else is needed there."""
    with_programs(own_cluster, tmp_path / "neither")
    assert "(connection target_host) has no python3 on its PATH" in refused(work, BackupError)
    own_cluster.accept_key()
    with_programs(own_cluster, tmp_path / "python", "python3")
    with pytest.raises(TargetError, match="rsync isn't installed at target_host:/"):
        work.restore()
    assert not work.day.exists()


def test_a_user_who_may_not_write_there_is_told_so(work: Work, own_cluster: SshServer) -> None:
    """Nor read all that is there."""
    logins.bind_by_modes(own_cluster)
    Path(work.folder).chmod(0o555)
    assert "can't be written by this user" in refused(work, TargetError)
    Path(work.folder).chmod(0o755)
    (work.day / "sub").mkdir(parents=True, mode=0o000)
    with pytest.raises(TargetError, match="'sub' of the day can't be read there"):
        work.restore()
    assert stat.S_IMODE((work.day / "sub").stat().st_mode) == 0


def test_a_folder_whose_name_rsync_would_expand_is_refused_behind_ssh(work: Work) -> None:
    """It may be reached through a link; on this machine, nobody expands it."""
    strange = Path(work.folder).with_name("[x]")
    strange.mkdir()
    Path(work.folder, "2026").symlink_to(strange)
    with pytest.raises(TargetError, match=r"must hold none of \* \? \[ and backslash"):
        work.restore()
    assert not (strange / "268").exists()
    work.but(connection=None).restore()
    assert (strange / "268" / "a").read_bytes() == PLAIN["a"]
