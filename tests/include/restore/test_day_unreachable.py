"""An unreachable target is a transient error; one that refuses, or has another host key, needs a person."""

import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from include.errors import BackupError, ConfigError, SourceRefusedError, SourceUnreachableError, TargetError
from tests.include.days import login_banners
from tests.include.days.day_tasks import contents
from tests.include.restore.day_restores import PLAIN, Work, publish
from tests.include.tcp_proxy import Wire
from tests.site.sshd import SshServer

MB = 1 << 20


@pytest.fixture
def work(here: Work, own_cluster: SshServer, monkeypatch: pytest.MonkeyPatch) -> Work:
    """A folder behind an SSH server of its own, and a day for it."""
    monkeypatch.setenv("AIRFLOW_CONN_TARGET_HOST", json.dumps(own_cluster.connection))
    publish(here.vault, PLAIN)
    return here.but(ssh_conn_id="target_host")


def refused(work: Work, error: type[BackupError]) -> str:
    """Return the message of a restore that fails before anything is written."""
    with pytest.raises(error) as failed:
        work.restore()
    assert type(failed.value) is error
    assert list(Path(work.folder).iterdir()) == []
    return str(failed.value)


def test_a_stopped_server_is_unreachable_until_it_runs_again(work: Work, own_cluster: SshServer) -> None:
    """The message names the host and the connection."""
    own_cluster.stop()
    assert "(connection target_host) can't be reached, or the connection was lost" in refused(
        work, SourceUnreachableError
    )
    own_cluster.start()
    work.restore()
    assert (work.day / "a").read_bytes() == PLAIN["a"]


def test_a_refused_key_and_another_host_key_need_a_person(work: Work, own_cluster: SshServer) -> None:
    """Nothing is sent to an unknown host."""
    own_cluster.refuse_key()
    assert "refuses the connection's key" in refused(work, SourceRefusedError)
    own_cluster.accept_key()
    own_cluster.change_host_key()
    assert "shows another host key than the connection's host_key" in refused(work, SourceRefusedError)


def test_a_connection_that_doesnt_pin_the_host_key_is_refused(
    work: Work, own_cluster: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any of Airflow's SSH connections that does may be a target."""
    loose = own_cluster.connection | {"extra": {"key_file": str(own_cluster.key_file)}}
    monkeypatch.setenv("AIRFLOW_CONN_TARGET_HOST", json.dumps(loose))
    assert "must pin the server's host key" in refused(work, ConfigError)


def test_a_connection_that_breaks_while_files_are_sent_resumes(
    work: Work, own_cluster: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has arrived stays in the staging folder; the next restore completes the day."""
    published = publish(work.vault, PLAIN | {"big": os.urandom(32 * MB)})
    staging = work.day.with_name(".268.restoring")

    def half_there(_: Wire) -> bool:
        return (staging / "big").exists() and (staging / "a").exists()

    with Wire(own_cluster, half_there, Wire.cut) as wire:
        monkeypatch.setenv("AIRFLOW_CONN_TARGET_HOST", json.dumps(wire.connection))
        with pytest.raises(SourceUnreachableError):
            work.restore()
    assert not work.day.exists()
    inode = (staging / "a").stat().st_ino
    monkeypatch.setenv("AIRFLOW_CONN_TARGET_HOST", json.dumps(own_cluster.connection))
    work.restore_once_free()
    assert contents(work.day) == contents(published.folder)
    assert (work.day / "a").stat().st_ino == inode
    assert work.left_over() == []


def with_programs(server: SshServer, folder: Path, *names: str) -> None:
    """Let the account find only some programs."""
    folder.mkdir()
    for name in names:
        found = shutil.which(name, path="/usr/bin:/bin")
        assert found
        (folder / name).symlink_to(found)
    login_banners.with_programs(server, folder)


def test_a_target_without_rsync_or_python_is_an_error_that_names_it(
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


def test_a_user_who_may_not_write_or_read_there_is_an_error(work: Work, own_cluster: SshServer) -> None:
    """The message says which."""
    login_banners.bind_by_modes(own_cluster)
    Path(work.folder).chmod(0o555)
    assert "can't be written by this user" in refused(work, TargetError)
    Path(work.folder).chmod(0o755)
    (work.day / "sub").mkdir(parents=True, mode=0o000)
    with pytest.raises(TargetError, match="'sub' of the day can't be read there"):
        work.restore()
    assert stat.S_IMODE((work.day / "sub").stat().st_mode) == 0


def test_a_folder_whose_name_rsync_would_expand_is_refused_behind_ssh(work: Work) -> None:
    """Also if a link leads there; on this machine nothing expands it."""
    special = Path(work.folder).with_name("[x]")
    special.mkdir()
    Path(work.folder, "2026").symlink_to(special)
    with pytest.raises(TargetError, match=r"must not contain \* \? \[ or a backslash"):
        work.restore()
    assert not (special / "268").exists()
    work.but(ssh_conn_id=None).restore()
    assert (special / "268" / "a").read_bytes() == PLAIN["a"]
