"""A power cut at each moment of a recorded run: what may then be on the disk.

The recorded system calls (``recorded_calls.py``) are replayed in a model of a file system that promises as
little as POSIX does: what a file contains is safe once the file is synced, a name once its folder is.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.include.recorded_calls import Call

State = dict[str, tuple[int, bytes | str | None]]
"""Each path with its inode, and a file's bytes, a link's target, or None for a folder."""


@dataclass(eq=False)
class Node:
    """An inode: what it contains, and what of that is safe."""

    names: "dict[str, Node] | None" = None
    data: bytearray = field(default_factory=bytearray)
    safe_names: "dict[str, Node]" = field(default_factory=dict)
    safe_data: bytes = b""
    target: str | None = None
    at: int = 0
    appends: bool = False

    def write(self, data: bytes, at: int) -> None:
        """Write data at an offset."""
        self.data.extend(bytes(max(0, at - len(self.data))))
        self.data[at : at + len(data)] = data


class Disk:
    """A file system that is as a folder is now, and safe."""

    def __init__(self, root: Path) -> None:
        self._root, self._inodes = os.path.realpath(root), dict[int, Node]()
        self._top = self._read(root)
        self._made = list(self._inodes.values())
        self._unsafe: list[list[tuple[Node, str, Node | None]]] = []

    def states_after(self, calls: Iterable[Call]) -> Iterator[State]:
        """Yield what a cut before, between or after some calls may leave; each state once."""
        seen = set[int]()
        for call in [Call("sync"), *calls]:
            replay = getattr(self, f"_{call.name}", None)
            if replay and (call.name == "sync" or any(map(self._is_here, (*call.fds, *call.paths)))):
                replay(call)
                for state in self.states():
                    if (key := hash(tuple(state.items()))) not in seen:
                        seen.add(key)
                        yield state

    def _is_here(self, path: str) -> bool:
        return f"{path}/".startswith(f"{self._root}/")

    def states(self) -> Iterator[State]:
        """Yield what a cut now may leave: of unsafe names none, the newest or all; data safe or all."""
        for changes in ([], self._unsafe[-1:], self._unsafe):
            for data in ("safe_data", "data"):
                changed = dict[int, dict[str, Node | None]]()
                for folder, name, node in (each for change in changes for each in change):
                    changed.setdefault(id(folder), {})[name] = node
                yield dict(self._walk("", self._top, changed, data))

    def _walk(
        self, path: str, folder: Node, changed: Mapping[int, Mapping[str, Node | None]], data: str
    ) -> Iterator[tuple[str, tuple[int, bytes | str | None]]]:
        for name, node in sorted({**folder.safe_names, **changed.get(id(folder), {})}.items()):
            if node and node.names is not None:
                yield f"{path}{name}", (id(node), None)
                yield from self._walk(f"{path}{name}/", node, changed, data)
            elif node:
                yield f"{path}{name}", (id(node), node.target or bytes(getattr(node, data)))

    def _read(self, path: Path) -> Node:
        if path.is_symlink():
            node = Node(target=os.readlink(path))  # noqa: PTH115 - as it is written
        elif path.is_dir():
            names = {child.name: self._read(child) for child in path.iterdir()}
            node = Node(names, safe_names=dict(names))
        else:
            node = Node(data=bytearray(path.read_bytes()), safe_data=path.read_bytes())
        return self._inodes.setdefault(path.lstat().st_ino, node)

    def _find(self, path: str) -> Node | None:
        node = self._top if self._is_here(path) else None
        for name in filter(None, path[len(self._root) :].split("/")):
            node = node.names.get(name) if node and node.names is not None else None
        return node

    def _name(self, *names: tuple[str, Node | None]) -> None:
        """Give or take names, in one step."""
        found = [(self._find(os.path.dirname(path)), os.path.basename(path), node) for path, node in names]  # noqa: PTH119, PTH120
        changes = [(folder, name, node) for folder, name, node in found if folder]
        for folder, name, node in changes:
            _put(folder.names, name, node)
        self._unsafe.append(changes)

    def _made_as(self, path: str, node: Node) -> Node:
        self._made.append(node)
        self._name((path, node))
        return node

    def _openat(self, call: Call) -> None:
        flags, node = call.words[0].split("|"), self._find(call.paths[0])
        if node is None and "O_CREAT" in flags:
            node = self._made_as(call.paths[0], Node())
        if node and node.names is None:
            node.at, node.appends = 0, "O_APPEND" in flags
            if "O_TRUNC" in flags:
                node.data.clear()

    def _write(self, call: Call) -> None:
        if node := self._find(call.fds[0]):
            data = b"".join(call.strings)[: call.result]
            positioned = call.name.startswith("p")
            at = int(call.words[-1]) if positioned else len(node.data) if node.appends else node.at
            node.write(data, at)
            node.at = node.at if positioned else at + len(data)

    _writev = _pwrite64 = _pwritev = _write

    def _lseek(self, call: Call) -> None:
        if (node := self._find(call.fds[0])) and call.words[-1] not in ("SEEK_DATA", "SEEK_HOLE"):
            node.at = call.result

    def _ftruncate(self, call: Call) -> None:
        if node := self._find(call.fds[0]):
            del node.data[int(call.words[0]) :]
            node.write(b"", int(call.words[0]))

    def _copy_file_range(self, call: Call) -> None:
        source, target = map(self._find, call.fds)
        if source and target:
            start, at = (int(word) if word != "NULL" else None for word in call.words[:2])
            data = source.data[source.at if start is None else start :][: call.result]
            target.write(bytes(data), target.at if at is None else at)
            source.at += len(data) if start is None else 0
            target.at += len(data) if at is None else 0

    def _mkdir(self, call: Call) -> None:
        self._made_as(call.paths[0], Node(names={}))

    def _symlink(self, call: Call) -> None:
        self._made_as(call.paths[1], Node(target=os.fsdecode(call.strings[0])))

    def _link(self, call: Call) -> None:
        self._name((call.paths[1], self._find(call.paths[0])))

    def _unlink(self, call: Call) -> None:
        self._name((call.paths[0], None))

    def _rename(self, call: Call) -> None:
        old, new = call.paths
        self._name((new, self._find(old)), (old, None))

    _mkdirat, _symlinkat, _linkat, _renameat, _renameat2 = _mkdir, _symlink, _link, _rename, _rename
    _unlinkat = _rmdir = _unlink

    def _fsync(self, call: Call) -> None:
        if node := self._find(call.fds[0]):
            node.safe_data = bytes(node.data)
            self._sync_names(node)

    def _sync(self, _call: Call) -> None:
        for node in self._made:
            node.safe_data = bytes(node.data)
        self._sync_names(None)

    _fdatasync, _syncfs = _fsync, _sync

    def _sync_names(self, folder: Node | None) -> None:
        left = []
        for changes in self._unsafe:
            if folder and all(changed is not folder for changed, _, _ in changes):
                left.append(changes)
                continue
            for changed, name, node in changes:
                _put(changed.safe_names, name, node)
        self._unsafe = left


def _put(names: dict[str, Node] | None, name: str, node: Node | None) -> None:
    if names is not None:
        names.pop(name, None)
        names.update({name: node} if node else {})


def lay_out(state: State, folder: Path) -> Path:
    """Make a folder that is as a cut left it; hard links are links again."""
    inodes = dict[int, Path]()
    folder.mkdir()
    for name, (inode, content) in state.items():
        path = folder / name
        if content is None:
            path.mkdir()
        elif isinstance(content, str):
            path.symlink_to(content)
        elif inode in inodes:
            path.hardlink_to(inodes[inode])
        else:
            inodes[inode] = path
            path.write_bytes(content)
    return folder
