"""Stands in for ``tensorrt``: ONNX Runtime behind TensorRT's boundary.

Public names are TensorRT's own, with its parameters' names: a test holds them against the real
bindings. Where TensorRT computes nonsense without a word (an output that is also an input), this
raises.
"""

from __future__ import annotations

import hashlib
import json
import math
from enum import IntEnum

import numpy as np
import onnx
import onnxruntime as ort

from standins.device import DEVICE, Fault

__version__ = "10.3.0"

_OPERATORS = frozenset(
    "Add Cast Concat Conv DepthToSpace Div Gather GatherND Gelu Gemm LayerNormalization MatMul "
    "Mul Relu Reshape ScatterND Slice Softmax Split Sqrt Squeeze Sub Transpose Unsqueeze".split()
)
_MAGIC = b"standin-plan\n"


class DataType(IntEnum):
    FLOAT = 0
    HALF = 1
    INT64 = 8


_NUMPY = {DataType.FLOAT: np.float32, DataType.HALF: np.float16, DataType.INT64: np.int64}
_ONNX = {1: DataType.FLOAT, 10: DataType.HALF, 7: DataType.INT64}


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


def _need_context(what):
    DEVICE.need_context(what)


class ITensor:
    def __init__(self, name):
        self.name = name


class INetworkDefinition:
    def __init__(self, flags):
        self._flags, self._model = flags, None

    @property
    def num_inputs(self):
        return len(self._model.graph.input)

    def get_input(self, index):
        return ITensor(self._model.graph.input[index].name)


class ParserError:
    def __init__(self, node, text):
        self._node, self._text = node, text

    def desc(self):
        return self._text

    def node_name(self):
        return self._node.name if self._node is not None else ""

    def node_operator(self):
        return self._node.op_type if self._node is not None else ""


class OnnxParser:
    def __init__(self, network, logger):
        assert logger._ready
        self._network, self._errors = network, []

    def parse(self, model, path=None):
        try:
            graph = onnx.load_from_string(bytes(model))
            onnx.checker.check_model(graph, full_check=True)
        except Exception as error:
            self._errors.append(ParserError(None, f"not a model: {error}"))
            return False
        if graph.opset_import[0].version > 20:
            self._errors.append(ParserError(None, "opset beyond 20"))
        for node in graph.graph.node:
            if node.op_type not in _OPERATORS or node.domain not in ("", "ai.onnx"):
                self._errors.append(ParserError(node, "no importer for this operator"))
        self._network._model = graph
        return not self._errors

    @property
    def num_errors(self):
        return len(self._errors)

    def get_error(self, index):
        return self._errors[index]


class IOptimizationProfile:
    def __init__(self):
        self._shapes = {}

    def set_shape(self, input, min, opt, max):  # noqa: A002 - TensorRT's names
        assert tuple(min) <= tuple(opt) <= tuple(max)
        self._shapes[input] = (tuple(min), tuple(opt), tuple(max))


class IBuilderConfig:
    def __init__(self):
        self._profiles, self._flags, self._workspace = [], {BuilderFlag.TF32}, None
        self._monitor = None

    @property
    def progress_monitor(self):
        return self._monitor

    @progress_monitor.setter
    def progress_monitor(self, monitor):
        assert monitor._ready
        self._monitor = monitor

    def set_memory_pool_limit(self, pool, pool_size):
        assert pool_size > 0
        self._workspace = pool_size

    def clear_flag(self, flag):
        self._flags.discard(flag)

    def add_optimization_profile(self, profile):
        self._profiles.append(profile)
        return len(self._profiles) - 1


class IHostMemory(bytes):
    """Serialised engine; the real one is a buffer, too."""


class Builder:
    def __init__(self, logger):
        assert logger._ready
        _need_context("Builder")
        self._logger = logger

    def create_network(self, flags=0):
        return INetworkDefinition(flags)

    def create_builder_config(self):
        return IBuilderConfig()

    def create_optimization_profile(self):
        return IOptimizationProfile()

    def build_serialized_network(self, network, config):
        _need_context("build_serialized_network")
        error = self._refuse(network, config)
        if error:
            self._logger.log(ILogger.Severity.ERROR, error)
            return None
        if config._monitor is not None and not _pretend_to_work(config._monitor):
            self._logger.log(ILogger.Severity.ERROR, "[builder.cpp] build cancelled")
            return None
        header = {
            "tensorrt": DEVICE.tensorrt,
            "gpu": DEVICE.name,
            "capability": DEVICE.capability,
            "profiles": [p._shapes["index"][1][0] for p in config._profiles],
            "tf32": BuilderFlag.TF32 in config._flags,
        }
        DEVICE.log.append(f"build {network._model.graph.name}")
        model = network._model.SerializeToString()
        return IHostMemory(_MAGIC + json.dumps(header).encode() + b"\n" + model)

    def _refuse(self, network, config):
        graph = network._model.graph
        if network._flags != 1 << NetworkDefinitionCreationFlag.STRONGLY_TYPED:
            return "[network] fp16 types are hints only unless the network is strongly typed"
        dynamic = [i.name for i in graph.input if _shape(i).count(-1)]
        if dynamic and not config._profiles:
            return f"[network] {dynamic} have dynamic shapes and there is no profile"
        if any(set(p._shapes) != set(dynamic) for p in config._profiles):
            return "[profile] a profile does not fit the network's inputs"
        if DEVICE.faults.out_of_memory_while_building or config._workspace is None:
            return "[virtualMemoryBuffer.cpp] OutOfMemory: Requested size was 268435456 bytes."
        return None


def _pretend_to_work(monitor):
    monitor.phase_start("Building Engine", None, 2)
    for step in range(2):
        monitor.phase_start("Tactic Selection", "Building Engine", 4)
        for inner in range(4):
            if not monitor.step_complete("Tactic Selection", inner):
                return False
        monitor.phase_finish("Tactic Selection")
        if not monitor.step_complete("Building Engine", step):
            return False
    monitor.phase_finish("Building Engine")
    return True


def _shape(value):
    dims = value.type.tensor_type.shape.dim
    return tuple(d.dim_value if d.HasField("dim_value") else -1 for d in dims)


class Runtime:
    def __init__(self, logger):
        assert logger._ready
        _need_context("Runtime")
        self._logger = logger

    def deserialize_cuda_engine(self, serialized_engine):
        _need_context("deserialize_cuda_engine")
        problem, header, model = "the magic tag does not match", {}, b""
        if serialized_engine.startswith(_MAGIC):
            line, _, model = serialized_engine[len(_MAGIC) :].partition(b"\n")
            header, problem = json.loads(line), None
            if header["tensorrt"] != DEVICE.tensorrt:
                problem = f"made by version {header['tensorrt']}, this is {DEVICE.tensorrt}"
            elif (header["gpu"], tuple(header["capability"])) != (DEVICE.name, DEVICE.capability):
                problem = f"made for {header['gpu']}, this is {DEVICE.name}"
        if problem:
            self._logger.log(ILogger.Severity.ERROR, f"[runtime.cpp] Serialization: {problem}")
            return None
        return ICudaEngine(header, onnx.load_from_string(model))


_SESSIONS: dict[str, ort.InferenceSession] = {}


def _session(model):
    serialised = model.SerializeToString()
    key = hashlib.sha256(serialised).hexdigest()
    if key not in _SESSIONS:
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        _SESSIONS[key] = ort.InferenceSession(serialised, options)
    return _SESSIONS[key]


class ICudaEngine:
    def __init__(self, header, model):
        self._header, self._model = header, model
        graph = model.graph
        self._tensors = {v.name: (TensorIOMode.INPUT, v) for v in graph.input}
        self._tensors |= {v.name: (TensorIOMode.OUTPUT, v) for v in graph.output}
        self._half = any(i.data_type == 10 for i in graph.initializer)

    @property
    def num_io_tensors(self):
        return len(self._tensors)

    @property
    def device_memory_size_v2(self):
        return 4096

    def get_tensor_name(self, index):
        return list(self._tensors)[index]

    def get_tensor_mode(self, name):
        return self._tensors[name][0]

    def get_tensor_dtype(self, name):
        return _ONNX[self._tensors[name][1].type.tensor_type.elem_type]

    def create_execution_context(self, strategy=ExecutionContextAllocationStrategy.STATIC):
        _need_context("create_execution_context")
        return IExecutionContext(self, strategy)


class IExecutionContext:
    def __init__(self, engine, strategy):
        self._engine, self._strategy = engine, strategy
        profiles = engine._header["profiles"]
        self._profile = None if len(profiles) else -1
        self._rows = None if len(profiles) else 0
        self._addresses, self._scratch = {}, None

    def set_optimization_profile_async(self, profile_index, stream_handle):
        _need_context("set_optimization_profile_async")
        if not 0 <= profile_index < len(self._engine._header["profiles"]):
            return False
        self._profile, self._rows = profile_index, None
        return stream_handle in DEVICE.streams

    def set_device_memory(self, memory, size):
        if size < self._engine.device_memory_size_v2:
            raise Fault("set_device_memory: too small")
        self._scratch = (memory, size)

    def set_input_shape(self, name, shape):
        allowed = self._engine._header["profiles"]
        if self._profile is None or name != "index" or tuple(shape) != (allowed[self._profile],):
            return False
        self._rows = shape[0]
        return True

    def infer_shapes(self):
        return ["index"] if self._rows is None else []

    def get_tensor_shape(self, name):
        shape = _shape(self._engine._tensors[name][1])
        return tuple(self._rows if n == -1 and self._rows is not None else n for n in shape)

    def set_tensor_address(self, name, memory):
        if name not in self._engine._tensors:
            return False
        self._addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle):
        _need_context("execute_async_v3")
        graph = self._engine._model.graph
        if stream_handle not in DEVICE.streams or graph.name == DEVICE.faults.refuse_graph:
            return False
        spans = {}
        for name in self._engine._tensors:
            shape = self.get_tensor_shape(name)
            if name not in self._addresses:
                raise Fault(f"execute_async_v3: no address for {name}")
            if -1 in shape:
                raise Fault(f"execute_async_v3: no shape for {name}")
            size = (
                math.prod(shape) * np.dtype(nptype(self._engine.get_tensor_dtype(name))).itemsize
            )
            DEVICE.bytes_at(self._addresses[name], size)
            spans[name] = (self._addresses[name], self._addresses[name] + size)
        self._check_aliases(spans)
        if self._strategy == ExecutionContextAllocationStrategy.USER_MANAGED:
            if self._scratch is None:
                raise Fault("execute_async_v3: no device memory was set")
            DEVICE.bytes_at(*self._scratch)
        addresses, rows = dict(self._addresses), self._rows
        DEVICE.streams[stream_handle].put(lambda: self._execute(addresses, rows))
        return True

    def _check_aliases(self, spans):
        outputs = [n for n in spans if self._engine.get_tensor_mode(n) == TensorIOMode.OUTPUT]
        for output in outputs:
            for name, (start, end) in spans.items():
                if name != output and spans[output][0] < end and start < spans[output][1]:
                    raise Fault(f"execute_async_v3: {output} and {name} share memory")

    def _execute(self, addresses, rows):
        engine = self._engine

        def view(name):
            shape = tuple(rows if n == -1 else n for n in _shape(engine._tensors[name][1]))
            dtype = np.dtype(nptype(engine.get_tensor_dtype(name)))
            raw = DEVICE.bytes_at(addresses[name], math.prod(shape) * dtype.itemsize)
            return raw.view(dtype).reshape(shape)

        inputs = [n for n, (mode, _) in engine._tensors.items() if mode == TensorIOMode.INPUT]
        if "index" in inputs and not 0 <= view("index").min() <= view("index").max() < 1 << 20:
            raise Fault("illegal access: an index beyond the caches")
        results = _session(engine._model).run(None, {n: view(n).copy() for n in inputs})
        faults = DEVICE.faults
        wrong = (faults.wrong_half and engine._half) or faults.wrong_single
        for value, result in zip(engine._model.graph.output, results, strict=True):
            if wrong and faults.wrong_size in (None, rows):
                result = result * 1.5 + 1
            view(value.name)[:] = result
