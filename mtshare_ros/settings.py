"""Settings that people write as YAML, strictly checked (offline side)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from mtshare_ros.tasks import KINDS


class Strict(BaseModel):
    """Settings without unknown keys, fixed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _kind_name(text: str) -> str:
    if text not in KINDS:
        raise ValueError(f"found {text!r}, expected one of {', '.join(KINDS)}")
    return text


KindName = Annotated[str, AfterValidator(_kind_name)]
"""The name of a kind of task."""

Settings = TypeVar("Settings", bound=Strict)


def load_settings(
    path: Path,
    kind: type[Settings],
    error: type[Exception],
    changes: Mapping[str, Any] | None = None,
) -> Settings:
    """Read and check a YAML file.

    Args:
        path: The file.
        kind: Class of the settings.
        error: Raised with one line that names the file and the key.
        changes: Top-level keys that stand in for the file's.
    """
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as cause:
        raise error(f"{path}: can't be read: {cause.strerror}") from cause
    except (UnicodeDecodeError, yaml.YAMLError) as cause:
        raise error(f"{path}: not YAML: {' '.join(str(cause).split())}") from cause
    if changes and isinstance(values, dict):
        values |= changes
    try:
        return kind.model_validate(values)
    except ValidationError as cause:
        first = cause.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(top level)"
        raise error(f"{path}: {key}: {first['msg']}") from cause
