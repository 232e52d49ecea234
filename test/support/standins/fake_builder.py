"""Of the stand-in for ``tensorrt``: from an ONNX graph to a serialised engine."""

from __future__ import annotations

import json

import onnx

from support.standins.device import DEVICE
from support.standins.fake_types import (
    MAGIC,
    BuilderFlag,
    ILogger,
    NetworkDefinitionCreationFlag,
    shape_of,
)

_OPERATORS = frozenset(
    "Add Cast Concat Conv DepthToSpace Div Gather GatherND Gelu Gemm LayerNormalization MatMul "
    "Mul Relu Reshape ScatterND Slice Softmax Split Sqrt Squeeze Sub Transpose Unsqueeze".split()
)


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
        DEVICE.need_context("Builder")
        self._logger = logger

    def create_network(self, flags=0):
        return INetworkDefinition(flags)

    def create_builder_config(self):
        return IBuilderConfig()

    def create_optimization_profile(self):
        return IOptimizationProfile()

    def build_serialized_network(self, network, config):
        DEVICE.need_context("build_serialized_network")
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
        return IHostMemory(MAGIC + json.dumps(header).encode() + b"\n" + model)

    def _refuse(self, network, config):
        graph = network._model.graph
        if network._flags != 1 << NetworkDefinitionCreationFlag.STRONGLY_TYPED:
            return "[network] fp16 types are hints only unless the network is strongly typed"
        dynamic = [i.name for i in graph.input if shape_of(i).count(-1)]
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
