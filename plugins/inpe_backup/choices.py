"""What the forms suggest: the days, VMs and images that were in the vault when its status was last published.

They are in two Airflow Variables, which the DAG files read when they are loaded: where that happens, there is
no vault, and no way to read events. A form takes what isn't suggested, too.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow.sdk import Variable

from include.errors import RequestError
from include.names import shown
from include.ordinal_day import OrdinalDay
from include.vms.generation_name import generation_name
from inpe_backup.only_logged import only_logged

if TYPE_CHECKING:
    from include.status.parts import DaysPart, VmPart

VARIABLE, DAYS = "inpe_backup_images", "inpe_backup_days"
NO_VALUE = "{}   "
"""An empty object: of a value below five characters, Airflow warns that it can't mask it in logs."""
_ABOUT = "The {} in the vault, which the Trigger forms suggest; written by each run that reads them."
_MOST = 300

log = logging.getLogger(__name__)

Images = Mapping[str, Sequence[str]]
"""The names of each VM's generations."""


def publish(vms: "Iterable[VmPart]") -> None:
    """Let the forms suggest these VMs and their images; call it in a task. An error is only logged."""
    images = {vm.name: [generation_name(image.instant) for image in vm.generations] for vm in vms}
    _write(VARIABLE, images, "images")


def publish_days(parts: "Iterable[DaysPart]") -> None:
    """Let the forms suggest the days of some years, beside those of others; call it in a task.

    An error is only logged.
    """
    years = {f"{part.year:04d}": _ranges(status.day.number for status in part.days) for part in parts}
    if years:
        _write(DAYS, _read(DAYS) | years, "days")


def _ranges(numbers: Iterable[int]) -> list[list[int]]:
    """Return the first and the last of each run of consecutive numbers: ``[[1, 37], [40, 41]]``."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


def _write(name: str, value: object, what: str) -> None:
    text = json.dumps(value, separators=(",", ":")).ljust(len(NO_VALUE))
    with only_logged(log, "The forms go on suggesting what they did."):
        Variable.set(name, text, description=_ABOUT.format(what))


def published() -> Images:
    """Return what was published last; nothing before that, or where it can't be read."""
    pairs = _read(VARIABLE).items()
    return {vm: list(filter(_is_text, those)) for vm, those in pairs if isinstance(those, list)}


def _read(name: str) -> dict[str, Any]:
    """Return a Variable's object. Every task loads its DAG file, and none may fail for a suggestion."""
    try:
        found = json.loads(Variable.get(name, default=NO_VALUE))
    except Exception as error:  # noqa: BLE001 - of Airflow's API, or by whoever wrote something else there
        log.warning("The forms suggest nothing: %s", error)
        return {}
    return found if isinstance(found, dict) else {}


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def suggested_days() -> dict[str, Any]:
    """Return what lets a form's field suggest the newest days in the vault; nothing if there are none."""
    try:
        newest = list(islice(_newest_days(), _MOST))
    except (TypeError, ValueError):  # somebody wrote something else there
        newest = []
    return {"examples": newest} if newest else {}


def _newest_days() -> Iterator[str]:
    for year, ranges in sorted(_read(DAYS).items(), reverse=True):
        for first, last in reversed(ranges):
            yield from (str(OrdinalDay(int(year), number)) for number in range(last, first - 1, -1))


def suggested_vms(images: Images) -> dict[str, Any]:
    """Return what lets a form's field suggest the VMs; nothing if there are none."""
    return {"examples": sorted(images)[:_MOST]} if images else {}


def suggested_images(images: Images) -> dict[str, Any]:
    """Return what lets a form's field suggest the newest images, each as ``maq1/2026-11-22T05-00-03Z``."""
    newest = sorted(((image, vm) for vm, those in images.items() for image in those), reverse=True)
    return {"examples": [f"{vm}/{image}" for image, vm in newest[:_MOST]]} if newest else {}


def image_of(vm: str, chosen: str) -> str:
    """Return the name of a generation, as it was typed or as the form suggests it.

    Raises:
        RequestError: it is suggested for another VM.
    """
    other, _, name = chosen.rpartition("/")
    if other not in ("", vm):
        raise RequestError(
            f"{shown(chosen)} is an image of {shown(other)}, not of {shown(vm)}. Nothing was done."
        )
    return name
