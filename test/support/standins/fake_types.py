"""Of the stand-in for ``tensorrt``: types, flags, and what a user derives classes from."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

MAGIC = b"standin-plan\n"
"""First bytes of a serialised engine."""


class DataType(IntEnum):
    FLOAT = 0
    HALF = 1
    INT64 = 8


_NUMPY = {DataType.FLOAT: np.float32, DataType.HALF: np.float16, DataType.INT64: np.int64}
ONNX_TYPES = {1: DataType.FLOAT, 10: DataType.HALF, 7: DataType.INT64}


def nptype(trt_type):
    return _NUMPY[trt_type]


class TensorIOMode(IntEnum):
    NONE = 0
    INPUT = 1
    OUTPUT = 2


class MemoryPoolType(IntEnum):
    WORKSPACE = 0


class BuilderFlag(IntEnum):
    TF32 = 7


class NetworkDefinitionCreationFlag(IntEnum):
    STRONGLY_TYPED = 1


class ExecutionContextAllocationStrategy(IntEnum):
    STATIC = 0
    USER_MANAGED = 2


class ILogger:
    class Severity(IntEnum):
        INTERNAL_ERROR = 0
        ERROR = 1
        WARNING = 2
        INFO = 3
        VERBOSE = 4

    def __init__(self):
        self._ready = True

    def log(self, severity, msg):
        raise NotImplementedError('Tried to call pure virtual function "ILogger::log"')


class IProgressMonitor:
    def __init__(self):
        self._ready = True

    def phase_start(self, phase_name, parent_phase, num_steps):
        raise NotImplementedError

    def step_complete(self, phase_name, step):
        raise NotImplementedError

    def phase_finish(self, phase_name):
        raise NotImplementedError


def shape_of(value):
    dims = value.type.tensor_type.shape.dim
    return tuple(d.dim_value if d.HasField("dim_value") else -1 for d in dims)
