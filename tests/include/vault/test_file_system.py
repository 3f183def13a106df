"""What a file system can't do is found before a vault is made on it."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from include.errors import VaultError
from include.vault.file_system import limits
from include.vault.vault import MARKER, Vault


def refuse(*_: object, **__: object) -> None:
    """Fail as a system call does that a file system doesn't have."""
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def test_an_ordinary_file_system_holds_everything(tmp_path: Path) -> None:
    """At most it can't share blocks; nothing of the trial is left."""
    assert [sentence for sentence in limits(tmp_path) if "reflink" not in sentence] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ("link", "It has no hard links: a later version of a day takes the space of the whole day."),
        ("symlink", "It has no symbolic links: days that contain any can't be copied."),
        ("utime", "It rounds file times: unchanged files of a day aren't shared with its later versions."),
    ],
)
def test_what_it_cant_do_is_named_with_what_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, sentence: str
) -> None:
    """The vault works all the same."""
    monkeypatch.setattr(os, call, refuse)
    assert sentence in limits(tmp_path)
    assert Vault.create(tmp_path / "vault").id


def test_a_file_system_without_locks_holds_no_vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs would write to one staging folder; no marker is made."""
    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(VaultError, match=r"has no locks \(flock\)\. Choose another one for the vault\."):
        Vault.create(tmp_path / "vault")
    assert not (tmp_path / "vault" / MARKER).exists()
