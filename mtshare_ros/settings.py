"""Settings that people write as YAML, strictly checked (offline side)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from mtshare_ros.errors import UserError, reason_of
from mtshare_ros.tasks import KINDS


class Strict(BaseModel):
    """Settings without unknown keys, fixed once read; numbers are finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _kind_name(text: str) -> str:
    if text not in KINDS:
        raise ValueError(f"found {text!r}, expected one of {', '.join(KINDS)}")
    return text


class YamlError(UserError):
    """A text is no YAML that can be read; the message says what was found."""


MOST_NODES = 100_000
"""Largest number of values in a document; aliases of aliases make billions of a few lines."""

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
        values = parse_yaml(path.read_bytes())
    except OSError as cause:
        raise error(f"{path}: can't be read: {cause.strerror}") from cause
    except YamlError as cause:
        raise error(f"{path}: {cause}") from cause
    if changes and isinstance(values, dict):
        values |= changes
    try:
        return kind.model_validate(values)
    except ValidationError as cause:
        first = cause.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "(top level)"
        raise error(" ".join(f"{path}: {key}: {first['msg']}".split())) from cause


def parse_yaml(text: str | bytes) -> Any:
    """Return what a YAML document says, as plain values.

    Raises:
        YamlError: It is no YAML, or a few lines of it stand for very many values.
    """
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            if _count(node, {}) > MOST_NODES:
                raise YamlError(f"more than {MOST_NODES} values")
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except YamlError:
        raise
    except Exception as error:  # PyYAML lets built-in errors of many classes through.
        raise YamlError(f"not YAML: {reason_of(error)}") from error


def _count(node: yaml.Node, counts: dict[int, int]) -> int:
    """Return the number of values below a node, those that aliases repeat included."""
    key = id(node)
    if key not in counts:
        counts[key] = MOST_NODES + 1  # What a node that is inside of itself finds.
        below: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            below = node.value
        elif isinstance(node, yaml.MappingNode):
            below = [part for pair in node.value for part in pair]
        counts[key] = 1 + sum(_count(child, counts) for child in below)
    return counts[key]
