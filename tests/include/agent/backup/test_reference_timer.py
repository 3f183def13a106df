"""The timer that removes references: when, and its units. Its systemctl is a script that notes its calls."""

import errno
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.agent.backup import reference_timer, references
from include.agent.durable_files import write_json
from include.agent.errors import LibvirtError
from include.agent.state_folder import StateFolder, VmFolder, locked, read_json
from include.agent.virsh import Virsh
from tests.include.agent.disks.test_clones import on
from tests.session.needs import program

UUID = "11111111-2222-3333-4444-555555555555"
OTHER = "22222222-2222-3333-4444-555555555555"
REQUEST = {"run": "r", "generation": "g"}
SYSTEMCTL = """#!/bin/sh
echo "$*" >> "$(dirname "$0")/calls"
case "$*" in *is-active*) exit "$(cat "$(dirname "$0")/active")";; esac
"""


class FakeVirsh(Virsh):
    """A libvirt with some VMs, of which one is paused from the second look on, as often as requested."""

    def __init__(self, *vms: str, paused: int = 0) -> None:
        super().__init__("qemu:///nowhere")
        self.vms, self.paused, self.looks = set(vms), paused, 0

    def uuids(self, *_flags: str) -> set[str]:
        """Return the VMs; without any, libvirt gives no answer."""
        if not self.vms:
            raise LibvirtError("It is away.")
        return self.vms

    def is_paused_on_io_error(self, uuid: str) -> bool:
        """Return whether it is."""
        self.looks += uuid == UUID
        return uuid == UUID and self.paused > 0 and self.looks > 1

    def run(self, command: str, *options: str, **_: Any) -> str:  # noqa: ANN401 - the signature of Virsh
        """Resume it."""
        assert (command, options) == ("resume", (f"--domain={UUID}",))
        self.paused -= 1
        return ""


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the script, its calls, and the units; nobody sleeps between two looks."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/systemctl").write_text(SYSTEMCTL)
    (tmp_path / "bin/systemctl").chmod(0o755)
    (tmp_path / "bin/active").write_text("0")
    (tmp_path / "units").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr(reference_timer, "_UNITS", tmp_path / "units")
    monkeypatch.setattr(reference_timer, "_SYSTEMD", tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return tmp_path


def calls(systemd: Path) -> list[str]:
    """Return the calls of systemctl since the last time."""
    noted = systemd / "bin/calls"
    found = noted.read_text().splitlines() if noted.exists() else []
    noted.unlink(missing_ok=True)
    return [call.removeprefix("--quiet ").partition(" inpe-")[0] for call in found]


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    """The agent's state folder."""
    made = StateFolder(str(tmp_path / "s"))
    made.make()
    return made


@pytest.fixture
def kept(state: StateFolder, tmp_path: Path) -> VmFolder:
    """The folder of a VM with a reference."""
    folder = state.of(UUID)
    folder.make()
    clones = folder.new_clone_folder(tmp_path)
    clones.mkdir()
    write_json(folder.reference, {"folders": [str(clones)], "renewed": time.time()})
    return folder


def ago(days: float) -> Callable[[VmFolder], None]:
    """Have a reference be so old."""

    def age(folder: VmFolder) -> None:
        write_json(folder.reference, {**read_json(folder.reference), "renewed": time.time() - days * 86400})

    return age


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param(lambda _: None, "", id="in use"),
        pytest.param(ago(20), "", id="three weeks"),
        pytest.param(ago(22), "no backup of it was published for three weeks", id="abandoned"),
        pytest.param(ago(-100), "", id="clock set back"),
    ],
)
def test_a_reference_that_nobody_renews_is_removed(
    systemd: Path, state: StateFolder, kept: VmFolder, change: Callable[[VmFolder], None], why: str
) -> None:
    """After three weeks by the host's clock, however often that is set back; then the timer ends, too."""
    change(kept)
    (clones,) = references.folders(kept)
    reference_timer.check(state, FakeVirsh(UUID))
    assert Path(clones).exists() == (not why)
    assert str(read_json(kept.reference).get("dropped", "")).endswith(why)
    assert float(read_json(kept.reference).get("renewed", 0)) <= time.time()
    assert calls(systemd) == []  # there were no units


def test_the_reference_of_a_vm_that_is_gone_is_removed(
    systemd: Path, state: StateFolder, kept: VmFolder
) -> None:
    """Not while libvirt gives no answer."""
    reference_timer.check(state, FakeVirsh())
    assert references.folders(kept)
    reference_timer.check(state, FakeVirsh("another"))
    assert read_json(kept.reference)["dropped"].endswith("its VM is gone")
    assert calls(systemd) == []


def test_below_the_mark_it_is_removed_and_guests_are_resumed(
    systemd: Path, state: StateFolder, kept: VmFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Again, if the space wasn't free yet. A VM that is paused for another reason stays so."""
    assert systemd
    monkeypatch.setattr(reference_timer, "MARK_PART", 1)
    monkeypatch.setattr(reference_timer, "MARK_BYTES", 1 << 60)
    virsh = FakeVirsh(UUID, "another", paused=2)
    reference_timer.check(state, virsh)
    assert read_json(kept.reference)["dropped"].endswith("its file system was nearly full")
    assert virsh.paused == 0


class Stubborn(FakeVirsh):
    """A libvirt with two paused VMs, of which the first can't be resumed."""

    def is_paused_on_io_error(self, uuid: str) -> bool:
        """Return whether it still is."""
        return uuid in self.vms

    def run(self, command: str, *options: str, **_: Any) -> str:  # noqa: ANN401 - the signature of Virsh
        """Resume it."""
        if options == (f"--domain={UUID}",):
            raise LibvirtError(f"{command} can't be done now.")
        self.vms -= {OTHER}
        return ""


def test_whatever_is_wrong_with_one_vm_the_others_are_helped(
    systemd: Path, state: StateFolder, kept: VmFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A label that can't be read, a full disk on which nothing can be written, a guest that stays paused."""
    monkeypatch.setattr(reference_timer, "MARK_PART", 1)
    monkeypatch.setattr(reference_timer, "MARK_BYTES", 1 << 60)
    monkeypatch.setattr(reference_timer, "_LOOKS", 1)
    write_json(kept.reference, {**read_json(kept.reference), "replaced": ["/gone"]})
    odd = state.of("00000000-2222-3333-4444-555555555555")
    odd.reference.mkdir(parents=True)
    damaged = state.of("00000000-2222-3333-4444-666666666666")
    damaged.make()
    write_json(damaged.reference, {"folders": ["/gone"], "renewed": "last week"})
    monkeypatch.setattr(references, "write_json", _on_a_full_disk)
    virsh = Stubborn(UUID, OTHER)
    reference_timer.check(state, virsh)
    assert (references.folders(kept), virsh.vms, calls(systemd)) == ([], {UUID}, [])


def _on_a_full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_nothing_is_kept_while_the_timer_may_be_ending(
    systemd: Path, state: StateFolder, kept: VmFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Removing large clones takes minutes; a reference without a timer would fill the disk."""
    monkeypatch.setattr(reference_timer, "_LOCK_S", 0.0)
    write_json(kept.reference, {**read_json(kept.reference), "run": "r", "generation": "g"})
    with locked(state.references_lock, timeout_s=0):
        found = reference_timer.keep(state, FakeVirsh(UUID), UUID, {**REQUEST, "chunks": {}})
    assert found == {"kept": False, "reason": "references are being removed on its host"}
    assert (references.folders(kept) != [], calls(systemd)) == (True, [])


def test_what_couldnt_be_removed_is_tried_again(
    systemd: Path, state: StateFolder, kept: VmFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as it's there, the timer runs."""
    (clones,) = references.folders(kept)
    ago(22)(kept)
    (systemd / "units" / f"{reference_timer._unit(state, FakeVirsh())}.timer").touch()  # noqa: SLF001
    with monkeypatch.context() as stuck:
        stuck.setattr("shutil.rmtree", lambda *_, **__: None)
        reference_timer.check(state, FakeVirsh(UUID))
        assert (references.folders(kept), Path(clones).exists(), calls(systemd)) == ([], True, [])
    (systemd / "units" / f"{reference_timer._unit(state, FakeVirsh())}.service").touch()  # noqa: SLF001
    reference_timer.check(state, FakeVirsh(UUID))
    assert (Path(clones).exists(), calls(systemd)) == (False, ["disable --now", "daemon-reload"])


def test_an_older_publication_that_is_repeated_leaves_a_later_reference(
    systemd: Path, state: StateFolder, kept: VmFolder
) -> None:
    """It is of use still."""
    assert systemd
    later = {**read_json(kept.reference), "run": "later", "generation": "h"}
    write_json(kept.reference, later)
    assert not reference_timer.keep(state, FakeVirsh(UUID), UUID, {**REQUEST, "chunks": {}})["kept"]
    assert read_json(kept.reference) == later


def test_the_timer_runs_as_long_as_there_is_a_reference(
    systemd: Path, state: StateFolder, kept: VmFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its units are files, so that a reboot doesn't end it; without a running timer nothing is kept."""
    virsh, request = FakeVirsh(UUID), {"run": "r", "generation": "g", "chunks": {}}
    write_json(
        kept.reference, {**read_json(kept.reference), "run": "r", "generation": "g"}
    )  # as if kept before
    assert reference_timer.keep(state, virsh, UUID, request) == {"kept": True, "reason": ""}
    assert calls(systemd) == ["daemon-reload", "enable --now", "is-enabled", "is-active"]
    assert reference_timer.keep(state, virsh, UUID, request)["kept"]
    assert calls(systemd) == ["enable --now", "is-enabled", "is-active"]
    (systemd / "bin/active").write_text("3")
    refused = reference_timer.keep(state, virsh, UUID, request)
    assert refused == {
        "kept": False,
        "reason": "systemd doesn't run the timer that would remove it: exit status 3",
    }
    ago(22)(kept)
    calls(systemd)
    reference_timer.check(state, virsh)
    assert (calls(systemd), list((systemd / "units").iterdir())) == (["disable --now", "daemon-reload"], [])
    monkeypatch.setattr(reference_timer, "_SYSTEMD", systemd / "nowhere")
    refused = reference_timer.keep(state, virsh, UUID, request)
    assert refused["reason"].startswith("without systemd, nothing on the host would remove it")
    assert read_json(kept.reference) == {"dropped": f"the host kept no reference: {refused['reason']}"}


def test_systemd_accepts_the_units(systemd: Path, kept: VmFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is in a path, as systemd itself checks it."""
    program("systemd-analyze")
    odd = systemd / 'a "b" $HOME %n \\'
    odd.mkdir()
    monkeypatch.setattr("sys.argv", [str(odd / "agent.pyz")])
    state = StateFolder(str(odd))
    write_json(kept.reference, {**read_json(kept.reference), "run": "r", "generation": "g"})
    assert reference_timer.start(state, FakeVirsh()) == ""
    units = sorted((systemd / "units").iterdir())
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "inpe-backup" in line]) == (0, [])


CROWDED = """
from include.agent.backup.reference_timer import is_crowded
found = [is_crowded(str(there))]
with (there / "filler").open("wb") as file:
    os.posix_fallocate(file.fileno(), 0, os.statvfs(there).f_bavail * 4096 - (40 << 20))
print(json.dumps([*found, is_crowded(str(there)), is_crowded(str(there / "gone"))]))
"""


def test_a_tenth_of_a_small_file_system_stays_free(tmp_path: Path) -> None:
    """Of half a GiB; a folder that is gone fills nothing."""
    assert on(tmp_path, "xfs", CROWDED) == [False, True, False]
