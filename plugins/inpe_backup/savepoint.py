"""How listeners use the scheduler's session: an error of theirs never keeps a run from starting or ending."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session


@contextmanager
def savepoint(session: "Session") -> Iterator["Connection"]:
    """Undo a block that fails, if only in reading: else PostgreSQL refuses the rest of the transaction.

    The savepoint is the connection's, because the end of one of the session is a commit, which the scheduler
    prohibits in its session.
    """
    session.flush()  # here, because what is flushed in the block would be undone with it
    connection = session.connection()
    with connection.begin_nested():
        yield connection
