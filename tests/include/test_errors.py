"""The drawn tree of errors is the real one, and only what may pass is retried."""

import inspect
import re

from include import errors


def drawn() -> dict[str, str]:
    """Read the tree in the module's docstring: each error's name and its parent's."""
    parents, above = {}, dict[int, str]()
    for line in inspect.cleandoc(errors.__doc__ or "").splitlines():
        if found := re.match(r"([│├└─ ]*)(\w+Error|BackupError)\b", line):
            depth, name = len(found[1]) // 4, found[2]
            above[depth] = name
            if depth:
                parents[name] = above[depth - 1]
    return parents


def test_the_drawn_tree_is_the_real_one() -> None:
    """Every class is in it, below its own parent."""
    classes = dict(inspect.getmembers(errors, inspect.isclass))
    real = {name: kind.__bases__[0].__name__ for name, kind in classes.items() if name != "BackupError"}
    assert drawn() == real


def test_every_error_is_a_backup_error() -> None:
    """A task can tell what we refuse from what we didn't think of."""
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        assert issubclass(kind, errors.BackupError)
        assert kind.__doc__


def test_only_what_may_pass_is_worth_a_retry() -> None:
    """A day that isn't proven, or a refused key, isn't better in five minutes."""
    passing = {kind.__name__ for kind in errors.PassingError.__subclasses__()}
    assert passing == {"SourceUnreachableError", "HostNotReadyError", "NotSettledError", "NotYetError"}


def test_not_yet_says_when() -> None:
    """And keeps its sentence."""
    later = errors.NotYetError("Not now.", retry_in_s=5)
    assert (str(later), later.retry_in_s) == ("Not now.", 5)
