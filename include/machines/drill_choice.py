"""Which machines a run boots: first those whose newest sound image wasn't yet, then the longest undrilled."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from include.errors import ConfigError
from include.facts import Facts
from include.machines.generation import Generations, PublishedGeneration

_NEVER = datetime.min.replace(tzinfo=UTC)


class Undrilled(Facts):
    """A machine that may be booted from its newest sound image.

    Args:
        name: the machine's.
        generation: the name of that image's folder; None where the vault holds none that is sound.
        passed: whether that image has been booted already.
        last: when an image of it was booted last; None: never.
        off: whether the site file says that it isn't booted.
    """

    name: str
    generation: str | None
    passed: bool
    last: datetime | None
    off: bool = False


class DueDrill(Facts):
    """A drill that is to be done, and why."""

    name: str
    generation: str
    reason: str


def known(generations: Generations, is_off: Callable[[str], bool]) -> list[Undrilled]:
    """Give how each machine of a vault stands, and whether it isn't to be booted."""
    return [_stands(name, generations.of(name), off=is_off(name)) for name in generations.machines()]


def due(machines: Iterable[Undrilled], per_run: int) -> list[DueDrill]:
    """Give what a run does, in order: at most ``per_run`` of them."""
    waiting = [one for one in machines if one.generation and not one.off]
    waiting.sort(key=lambda one: (one.passed, one.last or _NEVER, one.name))
    return [_due(one, one.generation) for one in waiting[:per_run] if one.generation]


def by_name(machines: Iterable[Undrilled], name: str) -> DueDrill:
    """Give the drill of a machine that was asked for by its name, drilled before or not.

    Raises:
        ConfigError: the vault holds no sound image of it, or the site file says that it isn't booted.
    """
    for one in machines:
        if one.name == name and one.off:
            raise ConfigError(
                f"The site file says that {name} isn't booted from its images (machines.special, drill). "
                "Nothing was booted."
            )
        if one.name == name and one.generation:
            return DueDrill(name=name, generation=one.generation, reason="It was asked for by name.")
    raise ConfigError(f"The vault holds no sound image of a machine named {name!r}. Nothing was booted.")


def newest_sound(generations: list[PublishedGeneration]) -> PublishedGeneration | None:
    """Give the newest generation in which no audit found damage."""
    return next((one for one in reversed(generations) if not one.proofs.damaged), None)


def _stands(name: str, generations: list[PublishedGeneration], *, off: bool) -> Undrilled:
    newest = newest_sound(generations)
    last = newest.proofs.last("drill") if newest else None
    times = [found.when for one in generations if (found := one.proofs.last("drill"))]
    return Undrilled(
        name=name,
        generation=newest.name if newest else None,
        passed=last is not None and last.result == "passed",
        last=max(times, default=None),
        off=off,
    )


def _due(one: Undrilled, generation: str) -> DueDrill:
    since = f"was booted last on {one.last:%Y-%m-%d}" if one.last else "was never booted from an image"
    return DueDrill(name=one.name, generation=generation, reason=f"{one.name} {since}.")
