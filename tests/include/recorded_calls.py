"""The system calls of a run that change or sync files, recorded with strace(1)."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.include.project_process import environment

_CALLS = (
    "openat,write,writev,pwrite64,pwritev,lseek,ftruncate,copy_file_range,fallocate,mkdir,mkdirat,rmdir,"
    "unlink,unlinkat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,fsync,fdatasync,syncfs,sync,chdir"
)
_DONE = re.compile(rb"(\d+) +(\w+)\((.*)\) += (\d+).*")
_BEGUN, _RESUMED = (
    re.compile(rb"(\d+) +(.*) <unfinished \.\.\.>"),
    re.compile(rb"(\d+) +<\.\.\. \w+ resumed>(.*)"),
)
_TOKEN = re.compile(rb'"((?:\\x..)*)"(\.*)|(?:AT_FDCWD|\d+)<((?:\\x..)*)>(?:\(deleted\))?|([^,\s\[\]{}"]+)')


@dataclass
class Call:
    """A system call that succeeded, with its arguments sorted by their kinds."""

    name: str
    strings: list[bytes] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    fds: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    result: int = 0


def recorded(command: list[str], **variables: str) -> list[Call]:
    """Run a command, and return its system calls that change or sync files, in the order of their ends."""
    with tempfile.NamedTemporaryFile() as log:
        strace = [
            "strace",
            "--follow-forks",
            "--decode-fds=path",
            "--seccomp-bpf",
            "-xx",
            "--string-limit=9999999",
        ]
        done = subprocess.run(
            [*strace, f"--trace={_CALLS}", f"--output={log.name}", "--", *command],
            env=environment() | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return list(_calls(log.read().splitlines()))


def _calls(lines: Iterable[bytes]) -> Iterator[Call]:
    begun, folders, folder = dict[bytes, bytes](), dict[bytes, str](), str(Path.cwd())
    for line in lines:
        if match := _BEGUN.fullmatch(line):
            begun[match[1]] = match[2]
            continue
        if match := _RESUMED.fullmatch(line):
            line = match[1] + b" " + begun.pop(match[1]) + match[2]  # noqa: PLW2901 - both halves
        if match := _DONE.fullmatch(line):
            pid, name, arguments, result = match.groups()
            call = _call(name.decode(), arguments, int(result), folders.get(pid, folder))
            if name == b"chdir":
                folder = folders[pid] = call.paths[0]  # of this process, and of the one that it starts next
            else:
                yield call


def _call(name: str, arguments: bytes, result: int, folder: str) -> Call:
    call, base = Call(name, result=result), folder
    for string, cut, fd, word in _TOKEN.findall(arguments):
        assert not cut, "strace has cut a string off"
        if fd:
            base = _text(_bytes(fd))
            call.fds.append(base)
        elif word.strip():
            call.words.append(word.decode().strip())
        else:
            call.strings.append(_bytes(string))
            if "write" not in name:
                path = os.path.join(base, _text(call.strings[-1]))  # noqa: PTH118
                call.paths.append(os.path.normpath(path))
                base = folder
    return call


def _bytes(escaped: bytes) -> bytes:
    return bytes.fromhex(escaped.decode().replace("\\x", ""))


def _text(path: bytes) -> str:
    return os.fsdecode(path)
