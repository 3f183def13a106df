"""The programs that are measured against, which nothing else here needs."""

import shutil

_PACKAGES = {
    "borg": "borgbackup",
    "nbdcopy": "libnbd-bin",
    "restic": "restic",
    "rsync": "rsync",
    "scp": "openssh-client",
}


def need(*programs: str) -> None:
    """See that programs are there before anything is measured.

    Raises:
        RuntimeError: some aren't; says how they come.
    """
    missing = {_PACKAGES[program] for program in programs if not shutil.which(program)}
    if missing:
        raise RuntimeError(f"Missing to measure against: sudo apt-get install {' '.join(sorted(missing))}")
