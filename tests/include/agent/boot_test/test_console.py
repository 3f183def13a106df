"""A serial console's output is searched as it comes, however much of it there is."""

from pathlib import Path

import pytest

from include.agent.boot_test import console
from include.agent.boot_test.console import ConsoleLog


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a console's output, which doesn't exist yet."""
    return tmp_path / "console.log"


def append(path: Path, output: bytes) -> None:
    """Print something on the console."""
    with path.open("ab") as file:
        file.write(output)


@pytest.mark.parametrize("block_bytes", [1, 3, 1 << 20])
def test_a_text_that_comes_in_parts_is_found(
    path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    """Whether it is read or printed in parts; once found, it stays found."""
    monkeypatch.setattr(console, "BLOCK_BYTES", block_bytes)
    log = ConsoleLog(path, "login:")
    assert not log.shows_text()
    for output in (b"booting \xff\r\n", b"lo", b"log", b"in", b""):
        append(path, output)
        assert not log.shows_text()
    append(path, b": ")
    assert log.shows_text()
    path.unlink()
    assert log.shows_text()


def test_a_file_that_was_begun_anew_is_searched_from_its_beginning(path: Path) -> None:
    """Virtlogd does that when it has reached its largest size."""
    log = ConsoleLog(path, "login:")
    append(path, bytes(1000))
    assert not log.shows_text()
    path.write_bytes(b"login:")
    assert log.shows_text()


def test_the_tail_is_the_last_output_on_one_line(path: Path) -> None:
    """Empty if nothing was printed."""
    log = ConsoleLog(path, "login:")
    assert log.tail() == ""
    append(path, b"")
    assert log.tail() == ""
    append(path, b"x" * 1000 + b"\r\nkernel\tpanic\r\n\xff")
    assert log.tail().endswith("x kernel panic \N{REPLACEMENT CHARACTER}")
    assert len(log.tail()) < 310


def test_a_link_is_no_console(tmp_path: Path) -> None:
    """QEMU could make one, to have a file of root's in a report."""
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "console.log").symlink_to(tmp_path / "secret")
    console = ConsoleLog(tmp_path / "console.log", "secret")
    assert (console.shows_text(), console.tail()) == (False, "")
