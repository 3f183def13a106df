"""A KVM host asked over real SSH, with the real agent put there; with libvirt's own in ``test_chain.py``."""

import fcntl
import json
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from include.errors import (
    BackupError,
    HostError,
    HostNotReadyError,
    MachineNotPossibleError,
    NotYetError,
    SourceUnreachableError,
)
from include.machines.host import Host, clock_told
from include.machines.shipped import agent_file
from tests.include.logins import force, with_programs
from tests.include.machine import program
from tests.include.machines.folder_host import REQUEST
from tests.include.machines.held_disks import door
from tests.include.machines.machines import INSTANT, UUID, names, record
from tests.site.sshd import SshServer

AGENT, PROGRAM = agent_file()
NO_LIBVIRT = "qemu+unix:///system?socket=/no/such/socket"


def host_at(server: SshServer, state: Path | str, uri: str = NO_LIBVIRT) -> Host:
    """Give a host behind a server."""
    return Host(door(server.connection), uri, str(state), None)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The agent's folder: not there yet, and of a name that a shell mustn't read."""
    return tmp_path / "var $(touch /tmp/never)" / "it's; the 'agent'"


@pytest.fixture
def host(cluster: SshServer, state: Path) -> Host:
    """A host that has no libvirt."""
    return host_at(cluster, state)


def refused(host: Host, kind: type[BackupError]) -> str:
    """Give the words with which a release is refused."""
    with pytest.raises(kind) as told:
        host.release(UUID, "a run")
    assert type(told.value) is kind
    return str(told.value)


def test_a_host_without_libvirt_isnt_ready(host: Host, state: Path) -> None:
    """It may be back at the next try; the agent that was put there said it."""
    with pytest.raises(HostNotReadyError, match=r"^virsh .* failed: .* \(host kvm_host\)$"):
        host.survey()
    assert names(state) == [AGENT]
    assert state.stat().st_mode & 0o777 == 0o711
    assert not Path("/tmp/never").exists()


def test_the_agent_is_put_there_once(host: Host, state: Path) -> None:
    """It's the same file for all calls."""
    for _ in range(2):
        with pytest.raises(HostNotReadyError):
            host.survey()
        seen = (state / AGENT).stat()
    assert (state / AGENT).stat() == seen
    assert (state / AGENT).read_bytes() == PROGRAM


@pytest.mark.parametrize("content", [b"", PROGRAM[:1000], b"import os\n"], ids=len)
def test_an_agent_that_isnt_whole_is_put_there_anew(host: Host, state: Path, content: bytes) -> None:
    """The host lost its power before its disk had it all."""
    state.mkdir(parents=True)
    (state / AGENT).write_bytes(content)
    with pytest.raises(HostNotReadyError):
        host.survey()
    assert (state / AGENT).read_bytes() == PROGRAM


def test_another_version_of_the_agent_stays(host: Host, state: Path) -> None:
    """It may be at work."""
    state.mkdir(parents=True)
    (state / "agent-0123456789abcdef.pyz").write_bytes(b"older")
    with pytest.raises(HostNotReadyError):
        host.survey()
    assert names(state) == sorted([AGENT, "agent-0123456789abcdef.pyz"])


def test_serving_finds_the_agent_too(host: Host, state: Path) -> None:
    """Another version of it may have frozen the disks."""
    command = host.serve_command(UUID)
    assert (state / AGENT).read_bytes() == PROGRAM
    ran = host.door.run(command)
    assert (ran.status, json.loads(ran.output)["error"]) == (9, "NothingFrozenError")


def test_a_state_folder_that_cant_be_made_is_told(cluster: SshServer) -> None:
    """With the host's own words."""
    told = refused(host_at(cluster, "/proc/inpe"), HostError)
    assert told.startswith("kvm_host: /proc/inpe can't be made there: mkdir: ")


def test_a_state_folder_that_cant_be_written_is_told(cluster: SshServer, tmp_path: Path) -> None:
    """It's there, and closed."""
    subprocess.run([program("chattr"), "+i", tmp_path], check=True)
    try:
        told = refused(host_at(cluster, tmp_path), HostError)
    finally:
        subprocess.run(["chattr", "-i", tmp_path], check=True)
    assert told.startswith(f"kvm_host: {tmp_path}/{AGENT} can't be written there: ")


def test_a_host_without_python_is_told(cluster: SshServer, own_cluster: SshServer, tmp_path: Path) -> None:
    """A shell and its tools aren't enough."""
    state = tmp_path / "state"
    with pytest.raises(HostNotReadyError):
        host_at(cluster, state).survey()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sha256sum").symlink_to("/usr/bin/sha256sum")
    with_programs(own_cluster, tmp_path / "bin")
    told = refused(host_at(own_cluster, state), HostError)
    assert told.startswith("kvm_host has no python3 on its PATH: ")


@pytest.mark.parametrize("words", ["welcome", "7", '\\"welcome\\"', r"\\377"])
def test_a_shell_that_prints_when_it_starts_is_told(
    cluster: SshServer, own_cluster: SshServer, tmp_path: Path, words: str
) -> None:
    """Its words would be taken for the agent's."""
    with pytest.raises(HostNotReadyError):
        host_at(cluster, tmp_path).survey()
    force(own_cluster, f"printf '{words}\\n';")
    told = refused(host_at(own_cluster, tmp_path), HostError)
    assert "answered something else than facts" in told
    assert "Does its shell's start-up file print something?" in told


def test_a_host_that_went_away_is_worth_a_retry(own_cluster: SshServer, tmp_path: Path) -> None:
    """Before it was asked, or while it was."""
    host = host_at(own_cluster, tmp_path)
    refused(host, HostNotReadyError)
    own_cluster.stop()
    refused(host, SourceUnreachableError)
    own_cluster.start()
    refused(host_at(own_cluster, tmp_path), HostNotReadyError)


def test_a_machine_at_which_somebody_works_is_asked_for_later(host: Host, state: Path) -> None:
    """In ten seconds."""
    folder = state / "machines" / UUID
    folder.mkdir(parents=True)
    with (folder / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(NotYetError, match="freeze is still at work") as told:
            host.release(UUID, "a run")
    assert told.value.retry_in_s == 10


def test_after_a_machine_that_isnt_back_no_other_is_stopped(host: Host, state: Path) -> None:
    """In that run; the host remembers it."""
    state.mkdir(parents=True)
    (state / "not-back.json").write_text(json.dumps({"run": REQUEST.run, "machine": "maq7"}))
    with pytest.raises(MachineNotPossibleError, match=r"^maq7 didn't come back in this run"):
        host.freeze(UUID, REQUEST)


@pytest.mark.parametrize("uuid", ["maq1", "../../etc", "", "$(reboot)", "--help"])
def test_a_machine_is_asked_for_by_its_uuid(host: Host, uuid: str) -> None:
    """Whatever a host gave for one."""
    with pytest.raises(HostError):
        host.release(uuid, "a run")
    with pytest.raises(BackupError):
        host.freeze(uuid, REQUEST)


def test_an_agent_that_cant_work_is_told_with_its_words(host: Host, state: Path) -> None:
    """Something is in its folder's place."""
    state.mkdir(parents=True)
    (state / "machines").write_text("no folder")
    with pytest.raises(HostError, match="File exists"):
        host.freeze(UUID, REQUEST)


@pytest.fixture
def lying(own_cluster: SshServer, tmp_path: Path) -> SshServer:
    """A host whose python3 is another program."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sha256sum").symlink_to("/usr/bin/sha256sum")
    with_programs(own_cluster, folder)
    return own_cluster


def lie(lying: SshServer, honest: SshServer, folder: Path, program: str) -> Host:
    """Give a host that has the agent, and runs another program in its place."""
    with pytest.raises(HostNotReadyError):
        host_at(honest, folder / "state").survey()
    liar = folder / "bin" / "python3"
    liar.write_text(f"#!/usr/bin/python3\n{program}\n")
    liar.chmod(0o755)
    return host_at(lying, folder / "state")


@pytest.mark.parametrize(
    ("hours", "wrong"), [(0, False), (24 * 29, False), (-0.1, False), (-0.2, True), (24 * 31, True)]
)
def test_a_clock_that_cant_be_right_is_told(hours: float, *, wrong: bool) -> None:
    """A few minutes ahead, or days behind, as a freeze that is asked for again, is no wonder."""
    assert bool(clock_told(INSTANT - timedelta(hours=hours), INSTANT)) == wrong


FROZEN = record().frozen.model_dump(mode="json")


@pytest.mark.parametrize(
    ("instant", "words"),
    [("2036-01-01T00:00:00Z", "frozen at 2036"), ("1999-01-01T00:00:00Z", "frozen at 1999")],
)
def test_a_machine_frozen_by_a_wrong_clock_carries_a_warning(
    lying: SshServer, cluster: SshServer, tmp_path: Path, instant: str, words: str
) -> None:
    """Beside the host's own ones."""
    told = json.dumps({**FROZEN, "instant": instant, "warnings": ["It rains."]})
    host = lie(lying, cluster, tmp_path, f"print({told!r})")
    own, clock = host.freeze(UUID, REQUEST).warnings
    assert own == "It rains."
    assert words in clock


@pytest.mark.parametrize("instant", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "yesterday"])
def test_an_instant_that_names_no_generation_is_refused(
    lying: SshServer, cluster: SshServer, tmp_path: Path, instant: str
) -> None:
    """Its folder's name would be none."""
    host = lie(lying, cluster, tmp_path, f"print({json.dumps({**FROZEN, 'instant': instant})!r})")
    with pytest.raises(HostError, match="answered with other facts"):
        host.freeze(UUID, REQUEST)


# A program in the agent's place, under its name, that answers with something else.
LIES = [
    ("print('{}')", "kvm_host answered with other facts: "),
    ("print('[]')", "kvm_host answered something else than facts: b'[]"),
    ("""print('{"machine": 7, "state": "on", "repaired": [], "scratch_bytes": 0}')""", "other facts"),
    ("""print('{"machine": "m", "state": "on", "repaired": [], "scratch_bytes": -1}')""", "other facts"),
    (
        r"""print('{"machine": "\\ud800", "state": "on", "repaired": [], "scratch_bytes": 0}')""",
        "other facts",
    ),
    ("print('7'); raise SystemExit(4)", "something else than facts"),
    ("print('{}'); raise SystemExit(99)", "None (host kvm_host)"),
    ("raise SystemExit(5)", "the agent ended with status 5: without a word"),
]


@pytest.mark.parametrize(("program", "words"), LIES)
def test_answers_of_another_kind_are_refused(
    lying: SshServer, cluster: SshServer, tmp_path: Path, program: str, words: str
) -> None:
    """With what they were."""
    assert words in refused(lie(lying, cluster, tmp_path, program), HostError)
