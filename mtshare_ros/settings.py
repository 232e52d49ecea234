"""Settings that people write as YAML, strictly checked (offline side)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError


class Strict(BaseModel):
    """Settings without unknown keys, fixed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
