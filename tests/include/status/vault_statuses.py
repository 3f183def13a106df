"""The status of vaults of which some parts were published."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from include.ordinal_day import OrdinalDay
from include.status.alerts import VaultStatus
from include.status.day_status import years
from include.status.forecast import forecast
from include.status.parts import DaysPart, Part, VmPart
from include.status.view import fold
from include.status.vm_status import vm_statuses
from tests.sample_status import NOW, day, published, rules

DUE = OrdinalDay.of(NOW.date()) - 2


def vault_status(
    *parts: Part,
    now: datetime = NOW,
    running: Mapping[str, int] = MappingProxyType({}),
    without_worker: str = "",
    **paused: int,
) -> VaultStatus:
    """Return the status of a vault of which some parts were published."""
    [view] = fold(published(part, NOW) for part in (rules(keep_days_at_source=90), *parts))
    judged = years(view, now), vm_statuses(view, now), forecast(view)
    return VaultStatus(view, now, *judged, paused, running, without_worker)


def in_vault(*back: int) -> DaysPart:
    """Return the vault's days, by how many days before the newest due day they are."""
    days = (day(DUE - each, NOW) for each in sorted(back, reverse=True))
    return DaysPart(year=DUE.year, days=tuple(days))


def with_newest(part: VmPart, **fields: object) -> VmPart:
    """Change fields of a VM's newest image."""
    newest = part.generations[-1].model_copy(update=fields)
    return part.model_copy(update={"generations": (*part.generations[:-1], newest)})
