"""Stands in for ``tensorrt``: ONNX Runtime behind TensorRT's boundary.

Public names are TensorRT's own, with its parameters' names: a test holds them against the real
bindings. Where TensorRT computes nonsense without a word (an output that is also an input), this
raises.
"""

from support.standins.fake_builder import (
    Builder,
    IBuilderConfig,
    IHostMemory,
    INetworkDefinition,
    IOptimizationProfile,
    ITensor,
    OnnxParser,
    ParserError,
)
from support.standins.fake_runtime import ICudaEngine, IExecutionContext, Runtime
from support.standins.fake_types import (
    BuilderFlag,
    DataType,
    ExecutionContextAllocationStrategy,
    ILogger,
    IProgressMonitor,
    MemoryPoolType,
    NetworkDefinitionCreationFlag,
    TensorIOMode,
    nptype,
)

__all__ = [
    "Builder",
    "BuilderFlag",
    "DataType",
    "ExecutionContextAllocationStrategy",
    "IBuilderConfig",
    "ICudaEngine",
    "IExecutionContext",
    "IHostMemory",
    "ILogger",
    "INetworkDefinition",
    "IOptimizationProfile",
    "IProgressMonitor",
    "ITensor",
    "MemoryPoolType",
    "NetworkDefinitionCreationFlag",
    "OnnxParser",
    "ParserError",
    "Runtime",
    "TensorIOMode",
    "nptype",
]
__version__ = "10.3.0"
