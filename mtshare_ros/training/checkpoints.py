"""Checkpoints as safetensors: tensors in the file, progress in its metadata."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from mtshare_ros.errors import UserError, reason_of


class CheckpointError(UserError):
    """A checkpoint can't be used; the message names the file and what is wrong."""


def save_tensors(path: Path, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
    """Write ``tensors`` and the JSON ``record``; an old file stays until the new one is whole.

    Raises:
        CheckpointError: It can't be written.
    """
    temporary = path.with_suffix(".partial")
    plain = {name: t.detach().contiguous().clone() for name, t in tensors.items()}
    try:
        save_file(plain, str(temporary), metadata={"record": json.dumps(record)})
    except SafetensorError as error:  # What it makes of a full disk.
        raise CheckpointError(f"{path}: can't be written: {reason_of(error)}") from error
    os.replace(temporary, path)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the record that ``save_tensors`` wrote.

    Raises:
        CheckpointError: The file is missing or not one of ours.
    """
    try:
        with safe_open(str(path), "pt") as file:
            record = json.loads((file.metadata() or {})["record"])
            if not isinstance(record, dict):
                raise ValueError(f"record is {type(record).__name__}, expected an object")
            return {name: file.get_tensor(name) for name in file.keys()}, record
    except (OSError, SafetensorError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise not_ours(path, error) from error


def not_ours(path: Path, error: Exception) -> CheckpointError:
    """Return the error of a file that this project did not write."""
    # torch lists every tensor.
    reason = textwrap.shorten(reason_of(error), 300)
    return CheckpointError(f"{path}: not a checkpoint of this project: {reason}")


@contextmanager
def said_of(path: Path) -> Iterator[None]:
    """Say of a checkpoint's file what is wrong about what was read from it.

    Raises:
        CheckpointError: A key or a tensor is missing, or of another kind or size.
    """
    try:
        yield
    except UserError:
        raise
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise not_ours(path, error) from error


def part_of(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with ``prefix``, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def progress_tensors(
    module: nn.Module, optimizers: list[torch.optim.Optimizer]
) -> dict[str, Tensor]:
    """Return the weights and the optimisers' moments under flat names."""
    tensors = {f"model/{name}": value for name, value in module.state_dict().items()}
    for number, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            for key, value in state.items():
                tensors[f"optimizer{number}/{index}/{key}"] = torch.as_tensor(value)
    return tensors


def restore_progress(
    tensors: dict[str, Tensor], module: nn.Module, optimizers: list[torch.optim.Optimizer]
) -> None:
    """Inverse of ``progress_tensors``."""
    module.load_state_dict(part_of(tensors, "model/"))
    for number, optimizer in enumerate(optimizers):
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            owner, _, rest = name.partition("/")
            if owner == f"optimizer{number}":
                index, key = rest.split("/")
                state.setdefault(int(index), {})[key] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
