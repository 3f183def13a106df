"""What the site file's sections are made of."""

from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


class Section(BaseModel):
    """One section: no key that isn't described, and none that changes later."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def _absolute(path: str) -> str:
    if not PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or "\0" in path:
        raise ValueError(f"{path!r} must be an absolute path without '..', such as /backup/vault.")
    return path


AbsolutePath = Annotated[str, AfterValidator(_absolute)]
"""A path that means the same wherever it's used."""
