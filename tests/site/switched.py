"""What the stand-in institute's servers have in common: they are switched on and off, also by ``with``."""

from abc import ABC, abstractmethod
from typing import Self


class Switched(ABC):
    """What runs as long as its ``with`` block does."""

    @abstractmethod
    def start(self) -> None:
        """Switch it on; give back only once it answers."""

    @abstractmethod
    def stop(self) -> None:
        """Switch it off; harmless when it doesn't run."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
