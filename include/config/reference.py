"""The reference of the site file, docs/configuration.md, made of the models: every key with what it means.

python -m include.config.reference > docs/configuration.md
"""

import inspect
import sys
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from include.config.boot_test import BootTestOverride, BootTestSettings
from include.config.site_file import Site
from include.config.vms import VmOverride, VmSettings

_HEAD = """\
# Configuration

Everything that a site decides is in one file, `include/site.yaml`; `INPE_BACKUP_SITE` names another one.
Addresses and secrets are in Airflow's connections. Every task reads the file when it starts; schedules are
read with the DAG files, half a minute after a change. A wrong file shows as the DAGs' import error, with
every mistake at once, by path.

A key without a default must be given. Sizes have their units: `20 GB` is decimal, `20 GiB` binary.
"""
_OVERRIDES: dict[type[BaseModel], tuple[str, type[BaseModel]]] = {
    VmOverride: ("vms", VmSettings),
    BootTestOverride: ("boot_test", BootTestSettings),
}
"""Overrides, each with the section whose keys it takes, and the model of these keys."""


def markdown() -> str:
    """Return the whole reference."""
    return "\n".join([_HEAD, *_section("", Site)]).rstrip() + "\n"


def _section(path: str, model: type[BaseModel]) -> Iterator[str]:
    """Describe a section: its own keys as a table, then the sections below it."""
    fields = _described_here(model)
    keys = [(name, field) for name, field in fields.items() if not _below(field)]
    if path:
        yield f"## `{path}`\n"
        about = inspect.cleandoc(model.__doc__ or "").split("\n\n")[0]
        yield f"{about.replace('``', '`')}{_as_usual(model)}\n"
    if keys:
        yield "| key | default | meaning |\n|---|---|---|"
        yield from (f"| `{name}` | {_default(field)} | {field.description} |" for name, field in keys)
        yield ""
    for name, field in fields.items():
        if section := _below(field):
            yield from _section(f"{path}.{name}".lstrip(".") + _list_mark(field), section)


def _described_here(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return a section's keys; of overrides only those that the usual settings don't have."""
    described_there = _OVERRIDES[model][1].model_fields if model in _OVERRIDES else {}
    return {name: field for name, field in model.model_fields.items() if name not in described_there}


def _as_usual(model: type[BaseModel]) -> str:
    """Name the keys that an override may have of the usual settings, and no others of their section."""
    if model not in _OVERRIDES:
        return ""
    path, usual = _OVERRIDES[model]
    *names, last = (f"`{name}`" for name in usual.model_fields)
    return f" Of the keys of `{path}` it may have {', '.join(names)} and {last}; others are refused."


def _below(field: FieldInfo) -> type[BaseModel] | None:
    """Return the section that a key holds, or holds a list of."""
    for choice in (field.annotation, *get_args(field.annotation)):
        plain: Any = get_args(choice)[0] if hasattr(choice, "__metadata__") else choice
        if isinstance(plain, type) and issubclass(plain, BaseModel):
            return plain
    return None


def _list_mark(field: FieldInfo) -> str:
    return "[]" if getattr(field.annotation, "__origin__", None) is list else ""


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "—"
    if field.default is None:
        return "`null`"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    if field.metadata or not isinstance(field.default, int | float):
        return (
            f"`{list(field.default)}`" if isinstance(field.default, tuple) else f"`{_plain(field.default)}`"
        )
    return f"`{field.default}`"


def _plain(value: object) -> str:
    readable = getattr(value, "human_readable", None)
    return str(readable(decimal=True, separator=" ")).replace(".0 ", " ") if readable else str(value)


if __name__ == "__main__":
    sys.stdout.write(markdown())
