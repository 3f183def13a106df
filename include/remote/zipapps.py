"""Programs for hosts: each is one zip file that Python runs, with its checksum in its name."""

import hashlib
import io
import zipfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

import include

_ROOT = Path(include.__file__).parent
LINE_SERVER = ("agent.heartbeat", "agent.watched_input", "remote.line_server")
"""What a program needs that answers lines."""


class Zipapp(NamedTuple):
    """A program in one file.

    Args:
        name: the file's name, which contains the beginning of the content's SHA-256.
        content: the file, as ``python3`` runs it.
    """

    name: str
    content: bytes


@cache
def zipapp(program: str, *parts: str) -> Zipapp:
    """Build a program from modules of ``include`` that run under Python 3.8 and import nothing else.

    The same code gives the same file on every machine, so a host that has the file needs no new one.

    Args:
        program: the module whose ``main`` runs; its last name but ``__main__`` names the file.
        parts: the modules and packages that it needs, such as ``agent``.
    """
    files = sorted({path for part in parts for path in _files(part)})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(
            zipfile.ZipInfo("__main__.py"), f"import sys\n\nfrom {program} import main\n\nsys.exit(main())\n"
        )
        for path in files:
            archive.writestr(zipfile.ZipInfo(f"include/{path.relative_to(_ROOT)}"), path.read_bytes())
    content = buffer.getvalue()
    name = program.removesuffix(".__main__").rpartition(".")[2]
    return Zipapp(f"{name}-{hashlib.sha256(content).hexdigest()[:16]}.pyz", content)


def agent() -> Zipapp:
    """Build the agent for KVM hosts."""
    return zipapp("include.agent.__main__", "agent")


def _files(part: str) -> list[Path]:
    """Return a part's files, and the ``__init__`` of each package that contains them."""
    path = _ROOT.joinpath(*part.split("."))
    found = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    above = [folder / "__init__.py" for folder in path.parents if folder == _ROOT or _ROOT in folder.parents]
    return [*found, *above]
