"""Which backend runs a bundle here, and why."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass

from mtshare_ros.perception.engines.interface import EngineError

BACKENDS = ("auto", "tensorrt", "onnxruntime", "torch")
PRECISIONS = ("fp16", "fp32")


@dataclass(frozen=True)
class Choice:
    """A backend and the reason for it, in words."""

    backend: str
    reason: str


def choose_backend(asked: str) -> Choice:
    """Return the backend for ``asked``; ``auto`` is the first of TensorRT, ONNX Runtime, torch.

    Raises:
        EngineError: There is no such backend, or what it needs is not here.
    """
    if asked not in BACKENDS:
        raise EngineError(f"backend: found {asked!r}, expected one of {', '.join(BACKENDS)}")
    if asked != "auto":
        problem = _PROBLEMS[asked]()
        if problem:
            raise EngineError(f"backend {asked}: {problem}")
        return Choice(asked, "asked for")
    reasons: list[str] = []
    for backend, find_problem in _PROBLEMS.items():
        problem = find_problem()
        if problem is None:
            return Choice(backend, "; ".join(reasons) or "TensorRT and a GPU are here")
        reasons.append(f"{backend}: {problem}")
    raise EngineError(f"no backend: {'; '.join(reasons)}")


def tensorrt_problem() -> str | None:
    """Return why TensorRT can't be used here, or None."""
    for module in ("tensorrt", "pycuda.driver"):
        try:
            importlib.import_module(module)
        except ImportError as error:
            name = module.partition(".")[0]
            if isinstance(error, ModuleNotFoundError) and error.name == name:
                return f"the Python package {name} is not here"
            return f"the Python package {name} can't be imported: {error}"
    cuda = importlib.import_module("pycuda.driver")
    try:
        cuda.init()
        cuda.Device(0)
    except cuda.Error as error:
        return f"no GPU that CUDA can use: {error}"
    return None


def _missing(module: str) -> str | None:
    if importlib.util.find_spec(module) is None:
        return f"the Python package {module} is missing: pip install {module}"
    return None


_PROBLEMS = {
    "tensorrt": tensorrt_problem,
    "onnxruntime": lambda: _missing("onnxruntime"),
    "torch": lambda: _missing("torch") or _missing("onnx"),
}
