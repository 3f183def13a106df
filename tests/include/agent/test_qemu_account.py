"""QEMU's account, from recorded output of libvirt; what is given to it is for nobody else."""

import os
import stat
from pathlib import Path

import pytest

from include.agent.errors import NotPossibleError
from include.agent.qemu_account import account_of, default_account, give

RECORDED = Path(__file__).with_name("recorded")
CAPABILITIES = (RECORDED / "capabilities.xml").read_text(encoding="utf-8")  # of a host whose QEMU is nobody
RUNNING = (RECORDED / "domains" / "files" / "running.xml").read_text(encoding="utf-8")
NOBODY = (65534, 65534)


def test_the_account_of_a_running_qemu_is_in_its_xml() -> None:
    """A domain may have another one than its host's default."""
    assert account_of(RUNNING) == (0, 0)
    assert account_of(RUNNING.replace("+0:+0", "+64055:+108")) == (64055, 108)


@pytest.mark.parametrize("label", ["nobody:nogroup", "nobody:+65534", "65534:65534"])
def test_an_account_may_be_a_name(label: str) -> None:
    """A definition may name it; libvirt prints it as it stands there."""
    assert account_of(RUNNING.replace("+0:+0", label)) == NOBODY


@pytest.mark.parametrize("other", ["nosuchuser:nogroup", "", "+0", ":", "+nobody:+nogroup"])
def test_an_account_that_this_host_doesnt_have_is_unknown(other: str) -> None:
    """The caller decides what to do then."""
    assert account_of(RUNNING.replace("+0:+0", other)) is None
    assert account_of((RECORDED / "domains" / "files" / "definition.xml").read_text(encoding="utf-8")) is None
    assert default_account(CAPABILITIES.replace("+65534:+65534", other)) is None


def test_the_default_account_is_in_the_hosts_capabilities() -> None:
    """For a domain that doesn't run yet, or whose definition turns labels off."""
    assert default_account(CAPABILITIES) == NOBODY


def test_without_the_security_model_qemu_is_libvirts_own_user() -> None:
    """As in a user's session."""
    assert default_account(CAPABILITIES.replace("<model>dac</model>", "<model>selinux</model>")) is None


def test_what_is_given_to_qemu_is_for_nobody_else(tmp_path: Path) -> None:
    """Files and folders; also if QEMU runs as the agent's user."""
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir(mode=0o777)
    file.touch(mode=0o666)
    for path, mode in ((folder, 0o700), (file, 0o600)):
        for account in (None, (os.geteuid(), os.getegid())):
            path.chmod(0o777)
            give(path, account)
            assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_uid) == (mode, os.geteuid())


def test_a_user_who_may_not_give_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening it to everyone instead would let every local user read the disk."""

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("os.chown", refuse)
    with pytest.raises(NotPossibleError, match="QEMU runs as UID 65534 on this host"):
        give(tmp_path, NOBODY)
