"""Opening a bundle in torch: on the CPU it is fp32, and what fails the self-test is refused."""

from pathlib import Path

import pytest
import torch

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.perception.engines import selftest
from mtshare_ros.perception.engines.selftest import SelfTestError
from mtshare_ros.perception.engines.torch import engine as torch_engine

on_a_cpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


@on_a_cpu
def test_on_the_cpu_it_is_fp32_whatever_is_asked_for(bundle_path: Path) -> None:
    engine = torch_engine.open_torch(bundle_path, load_manifest(bundle_path), 1, "fp16")
    assert engine.precision == "fp32" and engine.sizes == ()
    assert torch.get_num_threads() == 1


@on_a_cpu
def test_an_engine_that_fails_the_selftest_is_refused(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selftest, "relative_difference", lambda *_: 1.0)
    with pytest.raises(SelfTestError, match="torch: self-test of bundle small"):
        torch_engine.open_torch(bundle_path, load_manifest(bundle_path), 1, "fp32")


def test_half_precision_that_fails_gives_way_to_fp32() -> None:
    tried = []

    def open_in(precision: str) -> str:
        tried.append(precision)
        if precision == "fp16":
            raise SelfTestError("normals are off")
        return precision

    assert selftest.open_with_fallback("fp16", open_in) == "fp32" and tried == ["fp16", "fp32"]
    assert selftest.open_with_fallback("fp32", open_in) == "fp32" and tried[2:] == ["fp32"]
