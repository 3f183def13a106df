"""What a terminal needs to work with the demo: Airflow's environment, and the stand-in host's ``virsh``."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.site.airflow_home import PROJECT
from tests.site.kvm_host import URI, KvmHost

_ENVIRONMENT = """\
# For a terminal: . {file}
# Then `airflow`, `inpe-backup` and `virsh` are those of the demo, while it runs.
{exports}
export PATH={path}:"$PATH"
"""
_VIRSH = """\
#!/bin/sh
exec {enter} {virsh} --connect={uri} "$@"
"""


def write(folder: Path, environment: Mapping[str, str], host: KvmHost | None) -> Path:
    """Write the file that a shell reads, and a ``virsh`` that talks to the host, if there is one.

    Args:
        folder: the demo's folder.
        environment: what Airflow's processes have beyond this machine's.
        host: the stand-in KVM host, up.

    Returns:
        The file.
    """
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    if host:
        # By its path: this one is first on the PATH there, too.
        virsh = shutil.which("virsh", path=os.defpath)
        _write(programs / "virsh", _VIRSH.format(enter=shlex.join(host.enter()), virsh=virsh, uri=URI), 0o755)
    path = os.pathsep.join(map(str, (programs, Path(sys.executable).parent, PROJECT / "bin")))
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in environment.items())
    file = folder / "env"
    _write(file, _ENVIRONMENT.format(file=shown(file), exports=exports, path=shlex.quote(path)), 0o600)
    return file


def shown(path: Path) -> str:
    """Return a path as one would type it in the current folder."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _write(path: Path, text: str, mode: int) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode)  # it may hold secrets: never readable by others, not even for a moment
    path.chmod(mode)
    path.write_text(text, encoding="utf-8")
