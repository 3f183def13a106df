"""Programs that run as another account of the machine, for root."""

import os
import pwd
import shutil
from pathlib import Path

_READS_ALL = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]


def as_account(name: str) -> list[str]:
    """Return the prefix of a command that runs it as an account, if this is root; else nothing.

    It may read what is root's, because a test's folders and the project are, but writes only what is its own.
    """
    if os.geteuid() != 0:
        return []
    group = f"--regid={pwd.getpwnam(name).pw_gid}"
    return ["setpriv", f"--reuid={name}", group, "--clear-groups", *_READS_ALL, "--"]


def give(folder: Path, name: str) -> Path:
    """Make a folder, unless it's there, and give it with all that is in it to an account; return it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, name, pwd.getpwnam(name).pw_gid)
    return folder
