"""The agent's modules, compiled once: out of a zip file, Python compiles them anew in each process.

That takes longer than most of the commands. So the first process leaves them beside the zip file,

    <state>/agent-0123456789abcdef.pyz                     the agent
    <state>/agent-0123456789abcdef.cpython-311.compiled    its modules as code objects (marshal)

after a SHA-256 of both. Where that differs, as after a power cut, the modules are compiled again.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import sys
from contextlib import suppress
from importlib.machinery import ModuleSpec
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any
from zipimport import zipimporter

_PROGRAM, _COMPILED = ".pyz", f".{sys.implementation.cache_tag}.compiled"
_DIGEST_BYTES = 32
_PACKAGE = "/__init__.py"


def use(program: str) -> None:
    """Have this process import a program's modules as compiled; compile them if no process has done so yet.

    Args:
        program: the zip file that is running; anything else is left alone.
    """
    path = Path(program)
    if path.suffix != _PROGRAM:
        return
    with suppress(Exception):  # it only saves time
        zipped, kept = path.read_bytes(), path.with_suffix(_COMPILED)
        modules = _read(kept, zipped)
        if modules is None:
            modules = _compiled(path)
            _write(kept, zipped, modules)
        sys.meta_path.insert(0, _Importer(path, modules))


class _Importer:
    """Finds and loads compiled modules (importlib.abc.MetaPathFinder and Loader).

    Args:
        program: the zip file that they are of.
        modules: their code, by name.
    """

    def __init__(self, program: Path, modules: dict[str, CodeType]) -> None:
        self._program, self._modules = program, modules

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> ModuleSpec | None:
        """Return how a module is imported; None if it isn't one of ours."""
        if name not in self._modules:
            return None
        origin = self._modules[name].co_filename
        spec = ModuleSpec(name, self, origin=origin, is_package=origin.endswith(_PACKAGE))  # type: ignore[arg-type]
        spec.has_location = True
        return spec

    def create_module(self, _spec: ModuleSpec) -> None:
        """Have Python create the module."""

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's code in it."""
        exec(self._modules[module.__name__], module.__dict__)  # noqa: S102 - which is how one is imported

    def get_source(self, name: str) -> str:
        """Return a module's source, for the lines of a traceback."""
        return zipimporter(str(self._program)).get_data(self._modules[name].co_filename).decode()


def _compiled(program: Path) -> dict[str, CodeType]:
    from zipfile import ZipFile  # noqa: PLC0415 - only the first process needs it

    modules = {}
    with ZipFile(program) as zipped:
        for name in zipped.namelist():
            module = name[: -len(_PACKAGE)] if name.endswith(_PACKAGE) else name[: -len(".py")]
            source, origin = zipped.read(name), str(program / name)
            modules[module.replace("/", ".")] = compile(source, origin, "exec", dont_inherit=True)
    return modules


def _read(kept: Path, zipped: bytes) -> dict[str, CodeType] | None:
    try:
        content, mode, owner = kept.read_bytes(), kept.stat().st_mode, kept.stat().st_uid
    except OSError:
        return None
    if owner not in (0, os.geteuid()) or mode & 0o022:  # others could have written it
        return None
    digest, modules = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if digest != _digest(zipped, modules):
        return None
    found: dict[str, CodeType] = marshal.loads(modules)  # noqa: S302 - only who may change the agent may write it
    return found


def _write(kept: Path, zipped: bytes, modules: dict[str, CodeType]) -> None:
    """Write the modules, and remove those of other versions of the program."""
    content, part = marshal.dumps(modules), kept.with_suffix(".part")
    others = [path for path in kept.parent.glob(f"*{_COMPILED}") if path != kept]
    try:  # not flushed, and two processes may write at once: its SHA-256 tells
        with open(part, "wb", opener=_private) as file:
            file.write(_digest(zipped, content) + content)
        part.replace(kept)
        for other in others:
            other.unlink()
    except OSError:  # it isn't ours to write, or the disk is full
        with suppress(OSError):
            part.unlink()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _digest(zipped: bytes, modules: bytes) -> bytes:
    version = MAGIC_NUMBER + bytes([sys.flags.optimize])
    return hashlib.sha256(version + hashlib.sha256(zipped).digest() + modules).digest()
