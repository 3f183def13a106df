"""What the forms suggest: the VMs and images that were in the vault when its status was last published.

They are in an Airflow Variable, which the DAG files read when they are loaded: where that happens, there is
no vault, and no way to read events. A form takes what isn't suggested, too.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Variable

from include.errors import ConfigError
from include.names import shown
from include.vms.generation_name import generation_name
from inpe_backup.only_logged import only_logged

if TYPE_CHECKING:
    from include.status.parts import VmPart

VARIABLE = "inpe_backup_images"
NO_VALUE = "{}   "
"""An empty object: of a value below five characters, Airflow warns that it can't mask it in logs."""
_ABOUT = "The images in the vault, which the Trigger forms suggest; written by each run that reads them."
_MOST = 300

log = logging.getLogger(__name__)

Images = Mapping[str, Sequence[str]]
"""The names of each VM's generations."""


def publish(vms: "Iterable[VmPart]") -> None:
    """Let the forms suggest these VMs and their images; call it in a task. An error is only logged."""
    images = {vm.name: [generation_name(image.instant) for image in vm.generations] for vm in vms}
    value = json.dumps(images, separators=(",", ":")).ljust(len(NO_VALUE))
    with only_logged(log, "The forms go on suggesting what they did."):
        Variable.set(VARIABLE, value, description=_ABOUT)


def published() -> Images:
    """Return what was published last; nothing before that, or where it can't be read.

    Every task loads its DAG file, and none may fail because of what a form suggests.
    """
    try:
        found = json.loads(Variable.get(VARIABLE, default=NO_VALUE))
    except Exception as error:  # noqa: BLE001 - of Airflow's API, or by whoever wrote something else there
        log.warning("The forms suggest nothing: %s", error)
        return {}
    pairs = found.items() if isinstance(found, dict) else ()
    return {vm: list(filter(_is_text, those)) for vm, those in pairs if isinstance(those, list)}


def _is_text(value: object) -> bool:
    return isinstance(value, str)


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
        ConfigError: it is suggested for another VM.
    """
    other, _, name = chosen.rpartition("/")
    if other not in ("", vm):
        raise ConfigError(
            f"{shown(chosen)} is an image of {shown(other)}, not of {shown(vm)}. Nothing was done."
        )
    return name
