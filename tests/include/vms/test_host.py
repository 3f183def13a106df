"""A KVM host over real SSH with the real agent, without libvirt; with libvirt in ``test_chain.py``."""

import fcntl
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.agent.state_folder import StateFolder as HostState
from include.agent.state_folder import locked
from include.errors import (
    BackupError,
    HostError,
    HostNotReadyError,
    RescheduleError,
    SourceUnreachableError,
    VmWithheldError,
)
from include.remote import zipapps
from include.vms.host import Host
from tests.include.days.login_banners import force, with_programs
from tests.include.vms.exported_disks import transport
from tests.include.vms.folder_host import REQUEST
from tests.include.vms.sample_vms import UUID, names, record
from tests.session import needs
from tests.session.needs import program
from tests.site.sshd import SshServer

AGENT, PROGRAM = zipapps.agent()
ANOTHER = "6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f0007"
NO_LIBVIRT = "qemu+unix:///system?socket=/no/such/socket"


def host_at(server: SshServer, state: Path | str, uri: str = NO_LIBVIRT) -> Host:
    """Return a host that is an SSH server."""
    return Host(transport(server.connection), uri, str(state), None)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The agent's folder: it doesn't exist yet, and its name must be quoted in a shell."""
    return tmp_path / "var $(touch /tmp/never)" / "it's; the 'agent'"


@pytest.fixture
def host(cluster: SshServer, state: Path) -> Host:
    """A host without libvirt."""
    return host_at(cluster, state)


def programs(state: Path) -> list[str]:
    """Return the names of the files in the agent's folder, without what the agent made of itself."""
    return [name for name in names(state) if not name.endswith(".compiled")]


def refused(host: Host, kind: type[BackupError]) -> str:
    """Return the message of the error that ending a backup raises."""
    with pytest.raises(kind) as error:
        host.end_backup(UUID, "a run")
    assert type(error.value) is kind
    return str(error.value)


def test_a_host_without_libvirt_isnt_ready(host: Host, state: Path) -> None:
    """The newly installed agent reports it; a retry may help."""
    with pytest.raises(HostNotReadyError, match=r"^virsh .* failed: .* \(host kvm_host\)$"):
        host.survey()
    assert programs(state) == [AGENT]
    assert state.stat().st_mode & 0o777 == 0o711
    assert not Path("/tmp/never").exists()


def test_the_agent_is_installed_once(host: Host, state: Path) -> None:
    """Each call uses the same file."""
    for _ in range(2):
        with pytest.raises(HostNotReadyError):
            host.survey()
        status = (state / AGENT).stat()
    assert (state / AGENT).stat() == status
    assert (state / AGENT).read_bytes() == PROGRAM


@pytest.mark.parametrize("content", [b"", PROGRAM[:1000], b"import os\n"], ids=len)
def test_an_incomplete_agent_is_installed_again(host: Host, state: Path, content: bytes) -> None:
    """After a power failure of the host, for example."""
    state.mkdir(parents=True)
    (state / AGENT).write_bytes(content)
    with pytest.raises(HostNotReadyError):
        host.survey()
    assert (state / AGENT).read_bytes() == PROGRAM


def test_another_version_of_the_agent_is_kept(host: Host, state: Path) -> None:
    """It may be running."""
    state.mkdir(parents=True)
    (state / "agent-0123456789abcdef.pyz").write_bytes(b"older")
    with pytest.raises(HostNotReadyError):
        host.survey()
    assert programs(state) == sorted([AGENT, "agent-0123456789abcdef.pyz"])


def test_the_agent_is_installed_before_disks_are_sent(host: Host, state: Path) -> None:
    """Another version of it may have begun the backup."""
    command = host.install_agent().command("send", UUID)
    assert (state / AGENT).read_bytes() == PROGRAM
    ran = host.transport.run(command)
    assert (ran.status, json.loads(ran.output)["error"]) == (9, "NoOpenBackupError")


def test_a_state_folder_that_cant_be_created_is_reported(cluster: SshServer) -> None:
    """With the host's own message."""
    message = refused(host_at(cluster, "/proc/inpe"), HostError)
    assert message.startswith("kvm_host: /proc/inpe can't be created there: mkdir: ")


def test_a_read_only_state_folder_is_reported(cluster: SshServer, tmp_path: Path) -> None:
    """It exists, but is immutable."""
    needs.root()
    subprocess.run([program("chattr"), "+i", tmp_path], check=True)
    try:
        message = refused(host_at(cluster, tmp_path), HostError)
    finally:
        subprocess.run(["chattr", "-i", tmp_path], check=True)
    assert message.startswith(f"kvm_host: {tmp_path}/{AGENT} can't be written: ")


def test_a_host_without_python_is_reported(
    cluster: SshServer, own_cluster: SshServer, tmp_path: Path
) -> None:
    """The agent needs it."""
    state = tmp_path / "state"
    with pytest.raises(HostNotReadyError):
        host_at(cluster, state).survey()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sha256sum").symlink_to("/usr/bin/sha256sum")
    with_programs(own_cluster, tmp_path / "bin")
    message = refused(host_at(own_cluster, state), HostError)
    assert message.startswith("kvm_host has no python3 on its PATH: ")


@pytest.mark.parametrize("greeting", ["welcome", r"\\377"])
def test_a_shell_with_a_greeting_is_reported(
    cluster: SshServer, own_cluster: SshServer, tmp_path: Path, greeting: str
) -> None:
    """Its greeting would be parsed as the agent's output."""
    with pytest.raises(HostNotReadyError):
        host_at(cluster, tmp_path).survey()
    force(own_cluster, f"printf '{greeting}\\n';")
    message = refused(host_at(own_cluster, tmp_path), HostError)
    assert "Unexpected output" in message
    assert "Does its shell's start-up file print something?" in message


def test_a_host_that_is_down_is_a_transient_error(own_cluster: SshServer, tmp_path: Path) -> None:
    """Before the connection, or after it."""
    host = host_at(own_cluster, tmp_path)
    refused(host, HostNotReadyError)
    own_cluster.stop()
    refused(host, SourceUnreachableError)
    own_cluster.start()
    refused(host_at(own_cluster, tmp_path), HostNotReadyError)


def test_a_locked_vm_is_rescheduled(host: Host, state: Path) -> None:
    """In ten seconds."""
    folder = state / "vms" / UUID
    folder.mkdir(parents=True)
    with (folder / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RescheduleError, match="backup is just being begun") as busy:
            host.end_backup(UUID, "a run")
    assert busy.value.retry_in_s is None


def test_after_a_vm_that_didnt_come_back_no_other_is_stopped(host: Host, state: Path) -> None:
    """In that run; the host remembers it."""
    folder = state / "vms" / ANOTHER
    folder.mkdir(parents=True)
    last = {"run": REQUEST.run, "vm": "maq7", "health_check": None}
    (folder / "not-back.json").write_text(json.dumps(last))
    with pytest.raises(VmWithheldError, match=r"^maq7 didn't come back in this run.* no sign of: libvirt"):
        host.begin_backup(UUID, REQUEST)


def test_a_host_knows_whose_backup_is_open(host: Host, state: Path) -> None:
    """Of which run; one whose process died isn't."""
    assert not host.has_begun(UUID, "a run")
    folder = HostState(str(state)).of(UUID)
    folder.make()
    folder.journal.write("begin", run="a run", vm="maq1")
    assert not host.has_begun(UUID, "a run")
    with locked(folder.lock, timeout_s=0):
        assert host.has_begun(UUID, "a run")
    folder.journal.write("ready")
    assert host.has_begun(UUID, "a run")
    assert not host.has_begun(UUID, "another run")
    assert not host.has_begun(ANOTHER, "a run")


@pytest.mark.parametrize("uuid", ["../../etc", "$(reboot)", "--help"])
def test_a_vm_is_identified_by_its_uuid_only(host: Host, uuid: str) -> None:
    """Anything else is refused."""
    with pytest.raises(HostError):
        host.end_backup(uuid, "a run")
    with pytest.raises(BackupError):
        host.begin_backup(uuid, REQUEST)


def test_an_error_of_the_agent_is_reported(host: Host, state: Path) -> None:
    """A file is in the place of its folder."""
    state.mkdir(parents=True)
    (state / "vms").write_text("no folder")
    with pytest.raises(HostError, match="File exists"):
        host.begin_backup(UUID, REQUEST)


@pytest.fixture
def lying(own_cluster: SshServer, tmp_path: Path) -> SshServer:
    """A host whose python3 will be another program."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sha256sum").symlink_to("/usr/bin/sha256sum")
    with_programs(own_cluster, folder)
    return own_cluster


def lie(lying: SshServer, honest: SshServer, folder: Path, program: str) -> Host:
    """Return a host that has the agent, and runs another program in its place."""
    with pytest.raises(HostNotReadyError):
        host_at(honest, folder / "state").survey()
    liar = folder / "bin" / "python3"
    liar.write_text(f"#!/usr/bin/python3\n{program}\n")
    liar.chmod(0o755)
    return host_at(lying, folder / "state")


BEGUN = {**record().begun.model_dump(mode="json"), "clock": "2036-01-01T02:00:00Z"}


@pytest.mark.parametrize(("clock", "direction"), [(1, "ahead of"), (-1, "behind")])
def test_a_backup_is_dated_by_the_vaults_clock(
    lying: SshServer, cluster: SshServer, tmp_path: Path, clock: int, direction: str
) -> None:
    """The host's is years ahead or behind; it answers 20 minutes after the stop."""
    began = datetime.now(UTC)
    then = began + clock * timedelta(days=2000)
    times = {"instant": (then - timedelta(minutes=20)).isoformat(), "clock": then.isoformat()}
    answer = json.dumps({**BEGUN, **times, "warnings": ["It rains."]})
    begun = lie(lying, cluster, tmp_path, f"print({answer!r})").begin_backup(UUID, REQUEST)
    passed = datetime.now(UTC) - began + timedelta(milliseconds=1)  # the offset is rounded
    assert timedelta() <= begun.instant_at_vault - (began - timedelta(minutes=20)) <= passed
    assert abs(begun.clock_offset_s / 86400 - clock * 2000) < 1
    own, warning = begun.warnings
    assert own == "It rains."
    assert f"clock is about 5 years {direction} the vault's" in warning


def test_an_instant_that_names_no_generation_is_refused(
    lying: SshServer, cluster: SshServer, tmp_path: Path
) -> None:
    """Its folder would have no valid name; other answers in test_host_answers.py, without a host."""
    host = lie(lying, cluster, tmp_path, f"print({json.dumps({**BEGUN, 'instant': 'yesterday'})!r})")
    with pytest.raises(HostError, match="invalid answer from the agent"):
        host.begin_backup(UUID, REQUEST)


def test_an_agent_that_is_killed_is_a_transient_error(
    lying: SshServer, cluster: SshServer, tmp_path: Path
) -> None:
    """The shell reports the signal as its exit status."""
    assert "ended with status 137" in refused(
        lie(lying, cluster, tmp_path, "raise SystemExit(137)"), HostNotReadyError
    )
