"""Reads ``timing.json``, which ``system_times`` measured and people may have changed since."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mtshare_ros.study.study_config import StudyError

Count = Annotated[int, Field(gt=0, lt=10**6)]
Share = Annotated[float, Field(gt=0, le=1)]
Time = Annotated[float, Field(gt=0, lt=10**9)]


class _Checked(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _Network(_Checked):
    size: Annotated[list[Count], Field(min_length=2, max_length=2)]


class _Machine(_Checked):
    onnxruntime: str
    processor: str


class _Case(_Checked):
    system: str
    fraction: Share
    p50_ms: Time


class _Timing(_Checked):
    network: _Network
    threads: Count
    rounds: Count
    machine: _Machine
    fractions: Annotated[list[Share], Field(min_length=1, max_length=16)]
    cases: list[_Case]


def read_timing(path: Path) -> dict[str, Any] | None:
    """Return the content of a file of times; None if there is none.

    Raises:
        StudyError: It is none; the message names the file and what it lacks.
        OSError: It can't be read.
    """
    if not path.exists():
        return None
    try:
        values = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise StudyError(f"{path}: not JSON: {error}; measure it again") from error
    keys = _Timing.model_fields
    missing = [key for key in keys if not isinstance(values, dict) or key not in values]
    if missing:
        raise StudyError(f"{path}: lacks {', '.join(missing)}; measure it again")
    try:
        _Timing.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise StudyError(f"{path}: {key}: {first['msg']}; measure it again") from error
    assert isinstance(values, dict)
    return values
