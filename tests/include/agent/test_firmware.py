"""Firmware state: saved whole, of running VMs, too; what can't be saved is known before a VM is stopped."""

import base64
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.agent import firmware
from include.agent.errors import BackupNotBegunError
from tests.include.agent import agent_on_host
from tests.include.agent.agent_on_host import Agent
from tests.include.project_process import python
from tests.session.needs import plain_user
from tests.site.kvm_host import KvmHost

_FLASH = "</type><loader readonly='yes' type='pflash'>{code}</loader><nvram>{nvram}</nvram>"
_EXAMINE = "import sys; from include.agent.firmware import examine; print(*examine(*sys.argv[1:])[0])"


def set_up(host: KvmHost) -> None:
    """One host with a VM with UEFI variables; its firmware does nothing."""
    host.define_small("maq5", {"vda": "raw"})
    code = host.folder / "CODE.fd"
    code.write_bytes(b"\xff" * (2 << 20))
    nvram(host).write_bytes(b"\xfe" * (2 << 20))
    xml = host.virsh("dumpxml", "--domain=maq5", "--inactive")
    (host.folder / "uefi.xml").write_text(
        xml.replace("</type>", _FLASH.format(code=code, nvram=nvram(host)), 1)
    )
    host.virsh("define", f"--file={host.folder}/uefi.xml")


def host_fault(host: KvmHost) -> str:
    """Return what is wrong with the host."""
    return agent_on_host.host_fault(host, ())


def nvram(host: KvmHost) -> Path:
    """Return the file with the VM's UEFI variables."""
    return host.folder / "maq5_VARS.fd"


@pytest.fixture
def agent(host: KvmHost) -> Iterator[Agent]:
    """The agent on the host; afterwards the VM is off."""
    calls = Agent(host)
    yield calls
    calls.end_backup("maq5")
    host.run("virsh", "destroy", "--domain=maq5", check=False)


def vm(**paths: Path) -> dict[str, str | None]:
    """Return what is surveyed of a VM's firmware."""
    return {"nvram": None, "tpm": None} | {name: str(path) for name, path in paths.items()}


def test_the_uefi_variables_of_a_vm_that_isnt_stopped_are_saved(host: KvmHost, agent: Agent) -> None:
    """With the method live, they are in the image as with any other."""
    host.virsh("start", "--domain=maq5")
    begun = agent.begin_backup("maq5", method="live")
    assert begun.status == 0, begun
    sent = base64.b64decode(agent.send("maq5")["files"]["nvram.fd"])
    assert sent == nvram(host).read_bytes()
    assert begun.output["left_out"] == []


def test_an_image_without_uefi_variables_is_reported(host: KvmHost, agent: Agent) -> None:
    """The VM is backed up all the same: its first start makes them."""
    nvram(host).rename(nvram(host).with_suffix(".away"))
    try:
        begun = agent.begin_backup("maq5")
    finally:
        nvram(host).with_suffix(".away").rename(nvram(host))
    assert (begun.status, begun.output["method"]) == (0, "offline")
    left_out = [(one["kind"], one["where"], one["reason"]) for one in begun.output["left_out"]]
    assert left_out == [("nvram", str(nvram(host)), "It doesn't exist.")]


def test_what_a_running_vm_changes_meanwhile_is_copied_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So no half-written state is saved; if it never rests, the backup fails."""
    source, changes, copyfile = tmp_path / "VARS.fd", iter([b"second"]), shutil.copyfile
    source.write_bytes(b"first")

    def copied(here: str, there: str) -> None:
        copyfile(here, there)
        for content in changes:
            source.write_bytes(content)

    monkeypatch.setattr("shutil.copyfile", copied)
    firmware.save_firmware(tmp_path, vm(nvram=source))
    assert (tmp_path / "nvram.fd").read_bytes() == b"second"
    changes = iter(bytes(length) for length in range(99))
    monkeypatch.setattr("shutil.copyfile", lambda *_: source.write_bytes(next(changes)))
    with pytest.raises(BackupNotBegunError, match=r"VARS\.fd changed each time"):
        firmware.save_firmware(tmp_path, vm(nvram=source))


def test_the_state_of_a_tpm_is_saved_as_a_folder(tmp_path: Path) -> None:
    """Whatever is in it."""
    (tmp_path / "tpm" / "tpm2").mkdir(parents=True)
    (tmp_path / "tpm" / "tpm2" / "tpm2-00.permall").write_bytes(b"secrets")
    firmware.save_firmware(tmp_path, vm(tpm=tmp_path / "tpm"))
    with tarfile.open(tmp_path / "tpm.tar") as archive:
        assert "./tpm2/tpm2-00.permall" in archive.getnames()


def test_a_tpm_that_writes_its_state_just_now_isnt_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes a temporary file, and renames it; that one is gone when it is looked at."""
    new = tmp_path / "tpm" / "new"
    new.parent.mkdir()
    new.touch()
    found = Path.rglob

    def renamed(folder: Path, pattern: str) -> list[Path]:
        paths = list(found(folder, pattern))
        if new.exists():
            new.rename(new.with_name("permall"))
        return paths

    monkeypatch.setattr(Path, "rglob", renamed)
    firmware.save_firmware(tmp_path, vm(tpm=tmp_path / "tpm"))
    with tarfile.open(tmp_path / "tpm.tar") as archive:
        assert "./permall" in archive.getnames()


def test_state_that_doesnt_exist_is_left_out_and_nothing_is_saved(tmp_path: Path) -> None:
    """The survey lists it."""
    gone = tmp_path / "gone"
    problems, absent = firmware.examine(str(gone), str(gone))
    assert (problems, [(one["kind"], one["where"]) for one in absent]) == (
        [],
        [("nvram", str(gone)), ("tpm", str(gone))],
    )
    firmware.save_firmware(tmp_path, vm(nvram=gone, tpm=gone))
    assert list(tmp_path.iterdir()) == []


def test_state_that_the_login_cant_read_is_a_problem(tmp_path: Path) -> None:
    """A backup would fail at it, with the VM down."""
    variables, tpm = tmp_path / "VARS.fd", tmp_path / "tpm"
    variables.touch(mode=0)
    tpm.mkdir()
    (tpm / "state").touch(mode=0)
    printed = python(_EXAMINE, str(variables), str(tpm), prefix=plain_user())
    assert f"Its NVRAM ({variables}) can't be read: Permission denied." in printed
    assert f"Its TPM ({tpm}/state) can't be read: Permission denied." in printed
    tpm.chmod(0)
    assert f"Its TPM ({tpm}) can't be read" in python(_EXAMINE, str(variables), str(tpm), prefix=plain_user())
