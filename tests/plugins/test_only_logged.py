"""What only informs somebody fails no task."""

import logging

import pytest

from inpe_backup.only_logged import only_logged


def test_an_error_is_logged_with_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    """The message says what follows from it; whoever stops the task isn't kept from that."""
    log = logging.getLogger("task")
    with only_logged(log, "The page isn't up to date."):
        raise KeyError("disk")
    [record] = caplog.records
    assert (record.getMessage(), record.levelno) == ("The page isn't up to date.", logging.ERROR)
    assert record.exc_info
    with pytest.raises(KeyboardInterrupt), only_logged(log, ""):
        raise KeyboardInterrupt
