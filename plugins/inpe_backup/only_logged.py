"""For what only informs somebody: its errors are logged, and never fail a task whose work is done."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def only_logged(log: Any, message: str) -> Iterator[None]:  # noqa: ANN401 - Airflow's logger
    """Log an error of the block, with a message that says what follows from it."""
    try:
        yield
    except Exception:
        log.exception(message)
