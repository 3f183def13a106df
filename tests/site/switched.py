"""The base of the stand-in institute's servers: started and stopped, also by ``with``."""

from abc import ABC, abstractmethod
from typing import Self


class Switched(ABC):
    """A server that runs for the length of its ``with`` block."""

    @abstractmethod
    def start(self) -> None:
        """Start it, and wait until it answers."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it; do nothing if it doesn't run."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
