"""What a form's field refuses beyond its JSON schema, before the run exists.

Airflow validates params with jsonschema when a run is created: by the form, the API or the command line. A
schema can't tell a leap year, so these checks are formats of jsonschema, which the plugin registers. What a
check raises is shown as it is; to an error of jsonschema, Airflow would add the whole schema.
"""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from include.errors import RequestError
from include.ordinal_day import OrdinalDay, require_begun

# Every Airflow process imports this module, so that the checks import the rest themselves.

DAY = "inpe-backup day"
DAY_FOLDER = "inpe-backup folder of days"
VM = "inpe-backup VM in the vault"
NEW_VM = "inpe-backup new VM"
VM_FOLDER = "inpe-backup folder of disks"
GENERATION = "inpe-backup generation"
VM_PATTERNS = "inpe-backup patterns of VMs"

_FIRST_ZONE = timezone(timedelta(hours=14))
"""Where a day begins first: the site file has the institute's zone, and the run's first task reads that."""


def register() -> None:
    """Register the formats."""
    from jsonschema import FormatChecker  # type: ignore[import-untyped] # noqa: PLC0415 - see above

    for name, check in CHECKS.items():
        FormatChecker.checkers[name] = (_of_values(check), ())


def _of_values(check: Callable[[str], object]) -> Callable[[object], bool]:
    """Return a jsonschema check; what isn't text passes, which the field's type allows or refuses."""

    def passes(value: object) -> bool:
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                check(one)
        return True

    return passes


def _day(text: str) -> None:
    require_begun(OrdinalDay.read(text), OrdinalDay.of(datetime.now(_FIRST_ZONE)))


def _day_folder(path: str) -> None:
    from include.restore.day_request import DayRestoreRequest  # noqa: PLC0415

    DayRestoreRequest.require_folder(path)


def _vm(name: str) -> None:
    from include.vms.generation_name import folder_name  # noqa: PLC0415

    if name:  # the schema's minLength refuses an empty one
        folder_name(name)


def _new_vm(name: str) -> None:
    from include.restore.vm_request import require_vm_name  # noqa: PLC0415

    require_vm_name(name)


def _vm_folder(path: str) -> None:
    from include.restore.vm_request import require_plain_folder  # noqa: PLC0415

    require_plain_folder(path)


def _generation(name: str) -> None:
    from include.vms.generation_name import instant_of  # noqa: PLC0415

    if instant_of(name.rpartition("/")[2]) is None:
        raise RequestError(f"{name!r} is not a generation. Write its name, such as 2026-11-22T05-00-03Z.")


def _vm_pattern(pattern: str) -> None:
    if not pattern.strip():
        raise RequestError("A line is empty. Write a VM's name or a pattern in each line, or none at all.")


CHECKS: dict[str, Callable[[str], object]] = {
    DAY: _day,
    DAY_FOLDER: _day_folder,
    VM: _vm,
    NEW_VM: _new_vm,
    VM_FOLDER: _vm_folder,
    GENERATION: _generation,
    VM_PATTERNS: _vm_pattern,
}
"""The check of each format; it raises a ``BackupError`` with what is wrong and what to write."""
