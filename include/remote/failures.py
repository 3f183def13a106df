"""Map the exit statuses and messages of rsync and OpenSSH to our errors.

Both have only a few exit statuses and name the cause in their messages, so they run in the C locale.
"""

import re

from include.errors import (
    BackupError,
    DayUnusableError,
    NoSpaceError,
    NotSettledError,
    SourceRefusedError,
    SourceUnreachableError,
    TargetError,
    TransientError,
    VaultError,
)

Meanings = tuple[tuple[tuple[str, ...], type[BackupError], str], ...]
"""Texts that are all in one line, the error that they mean, and its message, in which ``{peer}`` is the name
of the other end, and ``{Peer}`` the same at the beginning of a sentence."""

SSH_MEANINGS: Meanings = (
    (
        ("Host key verification failed",),
        SourceRefusedError,
        "{Peer} shows another host key than the connection's host_key. Find out why first.",
    ),
    (("Permission denied (publickey",), SourceRefusedError, "{Peer} refuses the connection's key."),
    (("python3: command not found",), BackupError, "python3 isn't installed at {peer}."),
    (("python3: not found",), BackupError, "python3 isn't installed at {peer}."),
)

PULL_MEANINGS: Meanings = (
    *SSH_MEANINGS,
    (
        ("No space left on device",),
        NoSpaceError,
        "The vault's disk is full. Add space and clear the task.",
    ),
    (("Disk quota exceeded",), NoSpaceError, "The vault's quota is used up. Add space and clear the task."),
    (("Read-only file system",), VaultError, "The vault is mounted read-only."),
    (("[receiver]", "Permission denied (13)"), VaultError, "The vault can't be written."),
    (("[generator]", "Permission denied (13)"), VaultError, "The vault can't be written."),
    (("Permission denied (13)",), DayUnusableError, "The source's user can't read all of the day."),
    (
        ("change_dir", "No such file or directory"),
        NotSettledError,
        "The day disappeared at the source during the copy.",
    ),
    (
        ("read errors mapping", "No data available"),
        NotSettledError,
        "A file of the day was truncated at the source during the copy.",
    ),
    (("rsync: command not found",), BackupError, "rsync isn't installed at {peer}."),
    (("rsync: not found",), BackupError, "rsync isn't installed at {peer}."),
)

PUSH_MEANINGS: Meanings = (
    *SSH_MEANINGS,
    (
        ("No space left on device",),
        TargetError,
        "{Peer} is full. Free space there and clear the task; it resumes the transfer.",
    ),
    (
        ("Disk quota exceeded",),
        TargetError,
        "{Peer} has no quota left. Free space there and clear the task.",
    ),
    (
        ("Read-only file system",),
        TargetError,
        "{Peer} is mounted read-only. Mount it writable and clear the task.",
    ),
    (("[sender]", "Permission denied (13)"), VaultError, "The vault's copy can't be read."),
    (
        ("Permission denied (13)",),
        TargetError,
        "{Peer} can't be written by this user. Fix the permissions and clear the task.",
    ),
    (("rsync: command not found",), TargetError, "rsync isn't installed at {peer}. Install it there."),
    (("rsync: not found",), TargetError, "rsync isn't installed at {peer}. Install it there."),
)

_VANISHED = 24  # rsync(1), EXIT VALUES: "partial transfer due to vanished source files"
_SHELL_SIGNAL = 128  # a POSIX shell's exit status for a program killed by signal n is 128 + n
_SHELL_SIGNALS = range(_SHELL_SIGNAL + 1, _SHELL_SIGNAL + 65)
_CONNECTION = (10, 12, 20, 30, 35, 255)  # the same; 255 is any error of ssh itself


def killing_signal(status: int) -> int:
    """Return the signal that killed a program; 0 if none did.

    Args:
        status: as subprocess.Popen reports it (below 0), or as a remote shell does (128 + signal).
    """
    return -status if status < 0 else status - _SHELL_SIGNAL if status in _SHELL_SIGNALS else 0


def failure(status: int, message: str, program: str, peer: str, meanings: Meanings) -> BackupError:
    """Return the error that an exit status of rsync or ssh means.

    Args:
        status: its exit status; below 0 if a signal killed it.
        message: its standard error.
        program: ``rsync`` or ``ssh``.
        peer: the name of the other end: ``the source``, or ``cluster:/data``.
        meanings: what its messages mean.
    """
    ended = f"{program} ended with status {status}: {message or 'no message'}"
    for texts, error, meaning in meanings:
        if any(all(text in line for text in texts) for line in message.splitlines()):
            names = {"peer": peer, "Peer": re.sub("^the ", "The ", peer)}
            return error(f"{meaning.format_map(names)} {ended}")
    if signal := killing_signal(status):
        killed = program if status < 0 else f"The program at {peer}"
        return TransientError(f"{killed} was killed by signal {signal}. What was copied is kept. {ended}")
    if status == _VANISHED:
        return NotSettledError(f"Files vanished at the source during the copy. {ended}")
    if status in _CONNECTION:
        return SourceUnreachableError(f"The connection to {peer} broke. What was copied is kept. {ended}")
    return BackupError(f"The copy failed. {ended}")
