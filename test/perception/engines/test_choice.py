"""Which backend is chosen, and why."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import Any

import pytest

from mtshare_ros.perception.engines import choice, open_engine
from mtshare_ros.perception.engines.choice import choose_backend
from mtshare_ros.perception.engines.interface import EngineError
from support.standins.device import Device


def _without(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        choice.importlib.util, "find_spec", lambda name: None if name in modules else find(name)
    )


def test_auto_is_tensorrt_where_it_and_a_gpu_are(device: Device) -> None:
    assert choose_backend("auto").backend == "tensorrt"


def test_auto_is_onnx_runtime_without_tensorrt_and_says_why() -> None:
    chosen = choose_backend("auto")
    assert chosen.backend == "onnxruntime" and "tensorrt is not here" in chosen.reason


def test_auto_is_onnx_runtime_without_a_gpu_and_says_why(device: Device) -> None:
    device.count = 0
    chosen = choose_backend("auto")
    assert chosen.backend == "onnxruntime" and "no CUDA-capable device" in chosen.reason


def test_auto_is_torch_where_nothing_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    _without(monkeypatch, "onnxruntime")
    chosen = choose_backend("auto")
    assert chosen.backend == "torch" and "pip install onnxruntime" in chosen.reason


def test_without_any_backend_everything_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _without(monkeypatch, "onnxruntime", "torch")
    with pytest.raises(EngineError, match="tensorrt: .*onnxruntime: .*torch: "):
        choose_backend("auto")


def test_a_backend_that_was_asked_for_is_never_replaced(device: Device, bundle_path: Path) -> None:
    device.faults.out_of_memory_while_building = True
    with pytest.raises(EngineError, match="OutOfMemory"):
        open_engine(bundle_path, "tensorrt")
    device.count = 0
    with pytest.raises(EngineError, match="backend tensorrt: no GPU"):
        open_engine(bundle_path, "tensorrt")


def test_auto_falls_back_when_engines_cannot_be_compiled(
    device: Device, bundle_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    device.faults.out_of_memory_while_building = True
    assert open_engine(bundle_path, threads=1).name == "onnxruntime"
    assert "onnxruntime instead of tensorrt" in caplog.text and "OutOfMemory" in caplog.text


def test_the_choice_and_its_reason_are_logged_once(
    bundle_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        open_engine(bundle_path, threads=1)
    assert caplog.text.count("backend onnxruntime: ") == 1


def test_a_backend_that_there_is_not_is_refused_with_those_there_are() -> None:
    with pytest.raises(EngineError, match="backend: found 'tensorflow', expected one of auto, "):
        choose_backend("tensorflow")


def test_a_backend_whose_package_is_missing_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for missing in ("torch", "onnx"):
        with monkeypatch.context() as patch:
            _without(patch, missing)
            with pytest.raises(EngineError, match=f"backend torch: .*pip install {missing}$"):
                choose_backend("torch")
    assert choose_backend("onnxruntime").reason == "asked for"


@pytest.mark.parametrize("module", ["tensorrt", "pycuda.driver"])
def test_a_package_that_is_there_and_broken_is_not_called_missing(
    device: Device, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    find = choice.importlib.import_module

    def broken(name: str) -> Any:
        if name == module:
            raise ImportError("libnvinfer.so.10: cannot open shared object file")
        return find(name)

    monkeypatch.setattr(choice.importlib, "import_module", broken)
    package = module.partition(".")[0]
    assert choice.tensorrt_problem() == (
        f"the Python package {package} can't be imported: "
        "libnvinfer.so.10: cannot open shared object file"
    )
    assert choose_backend("auto").backend == "onnxruntime"


def test_a_package_that_lacks_another_one_is_not_called_missing(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(name: str) -> Any:
        raise ModuleNotFoundError("No module named 'tensorrt_libs'", name="tensorrt_libs")

    monkeypatch.setattr(choice.importlib, "import_module", lacking)
    assert "tensorrt can't be imported: No module named 'tensorrt_libs'" in str(
        choice.tensorrt_problem()
    )
