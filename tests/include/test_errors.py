"""The tree of errors in the module's docstring is the real one, and only transient errors are retried."""

import inspect
import re

from include import errors


def drawn() -> dict[str, str]:
    """Read the tree in the module's docstring: each error's name and its parent's."""
    parents, above = {}, dict[int, str]()
    for line in inspect.cleandoc(errors.__doc__ or "").splitlines():
        if match := re.match(r"([│├└─ ]*)(\w+Error)\b", line):
            depth, name = len(match[1]) // 4, match[2]
            above[depth] = name
            if depth:
                parents[name] = above[depth - 1]
    return parents


def test_the_tree_in_the_docstring_is_the_real_one() -> None:
    """Every class is in it, below its own parent."""
    classes = dict(inspect.getmembers(errors, inspect.isclass))
    real = {name: kind.__bases__[0].__name__ for name, kind in classes.items() if name != "BackupError"}
    assert drawn() == real


def test_every_error_is_a_backup_error() -> None:
    """Anything else that a task raises is a defect."""
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        assert issubclass(kind, errors.BackupError)
        assert kind.__doc__


def test_only_transient_errors_are_retried() -> None:
    """Waiting doesn't help a failed verification, or a refused key."""
    transient = {kind.__name__ for kind in errors.TransientError.__subclasses__()}
    assert transient == {"SourceUnreachableError", "HostNotReadyError", "NotSettledError", "RescheduleError"}


def test_a_reschedule_says_when_to_try_again() -> None:
    """And has a message."""
    later = errors.RescheduleError("Not now.", retry_in_s=5)
    assert (str(later), later.retry_in_s) == ("Not now.", 5)
