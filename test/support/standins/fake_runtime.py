"""Of the stand-in for ``tensorrt``: serialised engines, loaded and executed by ONNX Runtime."""

from __future__ import annotations

import hashlib
import json
import math

import numpy as np
import onnx
import onnxruntime as ort

from support.standins.device import DEVICE, Fault
from support.standins.fake_types import (
    MAGIC,
    ONNX_TYPES,
    ExecutionContextAllocationStrategy,
    ILogger,
    TensorIOMode,
    nptype,
    shape_of,
)


class Runtime:
    def __init__(self, logger):
        assert logger._ready
        DEVICE.need_context("Runtime")
        self._logger = logger

    def deserialize_cuda_engine(self, serialized_engine):
        DEVICE.need_context("deserialize_cuda_engine")
        problem, header, model = "the magic tag does not match", {}, b""
        if serialized_engine.startswith(MAGIC):
            line, _, model = serialized_engine[len(MAGIC) :].partition(b"\n")
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
        return ONNX_TYPES[self._tensors[name][1].type.tensor_type.elem_type]

    def create_execution_context(self, strategy=ExecutionContextAllocationStrategy.STATIC):
        DEVICE.need_context("create_execution_context")
        return IExecutionContext(self, strategy)


class IExecutionContext:
    def __init__(self, engine, strategy):
        self._engine, self._strategy = engine, strategy
        profiles = engine._header["profiles"]
        self._profile = None if len(profiles) else -1
        self._rows = None if len(profiles) else 0
        self._addresses, self._scratch = {}, None

    def set_optimization_profile_async(self, profile_index, stream_handle):
        DEVICE.need_context("set_optimization_profile_async")
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
        shape = shape_of(self._engine._tensors[name][1])
        return tuple(self._rows if n == -1 and self._rows is not None else n for n in shape)

    def set_tensor_address(self, name, memory):
        if name not in self._engine._tensors:
            return False
        self._addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle):
        DEVICE.need_context("execute_async_v3")
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
            shape = tuple(rows if n == -1 else n for n in shape_of(engine._tensors[name][1]))
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
