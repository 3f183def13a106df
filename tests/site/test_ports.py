"""A port that was given stays reserved."""

import socket
from pathlib import Path

import pytest

from tests.site.ports import LOOPBACK, kept_port


def test_the_same_file_gives_the_same_port(tmp_path: Path) -> None:
    """Another file gives another port."""
    port = kept_port(tmp_path / "one")
    assert kept_port(tmp_path / "one") == port != kept_port(tmp_path / "two")


def test_a_reserved_port_is_refused_to_others_but_not_to_a_server(tmp_path: Path) -> None:
    """Even before the server listens, so that parallel runs don't collide."""
    port = kept_port(tmp_path / "one")
    with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind((LOOPBACK, port))
    with socket.create_server((LOOPBACK, port)), socket.create_connection((LOOPBACK, port)):
        pass
