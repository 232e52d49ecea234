"""Where a parameter's value came from: rclpy tells what was given, and not to whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from mtshare_ros.ros.parameters import BY_NAME, ParameterError
from mtshare_ros.ros.quality_of_service import PREFIX

_VALUE_FLAGS = ("-p", "--param")
_FILE_FLAG = "--params-file"
_NEARLY = 0.8
"""Likeness, as difflib measures it, from which on a name is taken for a misspelt one."""
_SECTION = "ros__parameters"


def check_unknown(name: str, node: str, for_all: set[str]) -> str:
    """Return the warning about a parameter that the node doesn't have.

    Args:
        name: The parameter.
        node: Name of the node, without its namespace.
        for_all: Parameters that were given to other nodes too, see ``given_to_all``.

    Raises:
        ParameterError: It was given to this node by name, or is nearly one of the node's.
    """
    close = get_close_matches(name, BY_NAME, n=1, cutoff=_NEARLY)
    close += get_close_matches(name.partition(".")[0], [PREFIX], n=1, cutoff=_NEARLY)
    if close:
        raise ParameterError(f"no parameter {name!r}; did you mean {close[0]!r}?")
    if name not in for_all:
        raise ParameterError(
            f"no parameter {name!r}, which was given to {node}; it has {', '.join(BY_NAME)}"
        )
    return f"parameter {name!r} is passed over: this node has none of that name"


def given_to_all(arguments: Sequence[str], node: str) -> set[str]:
    """Return the parameters that arguments give to whatever node reads them, not to this by name.

    These are those of sections such as ``/**`` in a file, and those of an argument without a
    node's name, as launch's SetParameter gives them.

    Args:
        arguments: Arguments of the process.
        node: Name of the node, without its namespace.
    """
    for_all: set[str] = set()
    by_name: set[str] = set()
    for target, name in _given(arguments):
        (by_name if target.rpartition("/")[2] == node else for_all).add(name)
    return for_all - by_name


def _given(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the node that each parameter was given to, perhaps with wildcards, and its name."""
    # Flags and their values stand side by side.
    for flag, value in pairwise(arguments):
        if flag in _VALUE_FLAGS:
            target, _, name = value.partition(":=")[0].rpartition(":")
            yield target or "/**", name
        elif flag == _FILE_FLAG:
            for target, parameters in _sections(_content(Path(value)), ""):
                for name in _flat(parameters, ""):
                    yield target, name


def _content(path: Path) -> Any:
    """Return what a parameter file holds; nothing where only ROS can read it."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except Exception:  # PyYAML lets built-in errors of many classes through.
        return None


def _sections(content: Any, target: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the nodes' names in a parameter file, and their parameters."""
    for key, value in content.items() if isinstance(content, Mapping) else ():
        if key == _SECTION:
            yield target, value if isinstance(value, Mapping) else {}
        else:
            yield from _sections(value, f"{target.rstrip('/')}/{str(key).lstrip('/')}")


def _flat(parameters: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """Yield the names of parameters, whose groups are joined by dots."""
    for key, value in parameters.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
