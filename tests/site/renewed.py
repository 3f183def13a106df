"""Costly parts that tests share, renewed when a test broke one."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Generic, TypeVar

import pytest

Part = TypeVar("Part")


class Renewed(Generic[Part]):
    """A part that is made when first needed, and again whenever it's broken.

    Args:
        make: returns a context manager of a new part.
        fault: returns what is wrong with a part; empty if nothing.
    """

    def __init__(
        self, make: Callable[[], AbstractContextManager[Part]], fault: Callable[[Part], str]
    ) -> None:
        self._make = make
        self._fault = fault
        self._made: Part | None = None
        self._stack = ExitStack()

    def get(self, test: pytest.Item | None = None) -> Part:
        """Return the part, renewed if it was broken; the test's report then says why.

        Args:
            test: the test that gets it; None in fixtures of a module or the session.
        """
        if self._made is not None and (wrong := self._wrong(self._made)):
            if test is not None:
                test.add_report_section("setup", "renewed", f"An earlier test broke it: {wrong}")
            self.end()
        if self._made is None:
            self._made = self._stack.enter_context(self._make())
        return self._made

    def _wrong(self, part: Part) -> str:
        try:
            return self._fault(part)
        except Exception as broken:  # noqa: BLE001 - a part that can't be checked is broken
            return repr(broken)

    def end(self) -> None:
        """End the part; do nothing if there is none."""
        self._made = None
        self._stack.close()
