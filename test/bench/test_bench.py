"""The benchmark measures what it says it measures."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from mtshare_ros.bench.benchmark import Matrix, run_bench
from mtshare_ros.bench.cases import DenseCase, HoldCase, SceneCamera, StreamCase
from mtshare_ros.bench.measure import summary, take_turns
from mtshare_ros.bench.result import read_result
from mtshare_ros.bench.rival_graphs import DenseGraph, SharedGraph
from mtshare_ros.bench.rivals import Rivals
from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.errors import OptionError
from mtshare_ros.network.single_task import SharedEncoder, SingleTaskNetwork
from mtshare_ros.perception.engines import open_engine
from mtshare_ros.tasks import TASKS
from support.samples import SMALL

THREE = [TASKS[name] for name in ("normals", "depth", "segmentation")]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[Any]]:
    """A small random network's result, and the progress that was told."""
    output = tmp_path_factory.mktemp("bench") / "bench.json"
    told: list[Any] = []
    matrix = Matrix(
        widths=(24,),
        sizes=((64, 48),),
        tasks=(2, 1),
        fractions=(1.0, 0.5, 0.25),
        depth=2,
        threads=1,
        rounds=6,
    )
    cores = os.sched_getaffinity(0)
    result = run_bench(matrix, output, lambda *step: told.append(step))
    assert os.sched_getaffinity(0) == cores
    assert json.loads(output.read_text()) == result == read_result(output)
    return result, told


def test_every_case_is_there_at_the_share_that_it_names(measured: Any) -> None:
    result, told = measured
    (setting,) = result["settings"]
    assert setting["tasks"] == ["normals", "depth"] and setting["bundle"] is None
    assert setting["rho"]["depth"] == pytest.approx(1 / 6, abs=0.01)
    assert (setting["network"]["width"], setting["network"]["size"]) == (24, [64, 48])
    streams = [("stream", 1.0), ("stream", 0.5), ("stream", 0.25)]
    one = [("separate", 1.0), *streams]
    two = [("separate", 1.0), ("shared", 1.0), *streams, ("hold", 0.5), ("hold", 0.25)]
    found = [(row["tasks"], row["kind"], row["fraction"]) for row in result["cases"]]
    assert found == [(1, *case) for case in one] + [(2, *case) for case in two]
    for row in result["cases"]:
        assert row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"]
        if row["kind"] == "stream":
            stages = row["stages_p50"]
            assert stages["dirty_fraction"] == pytest.approx(row["fraction"], abs=1e-3)
            assert set(stages) & set(TASKS) == set(setting["tasks"][: row["tasks"]])
    assert told[0] == (0, 1000) and told[-1] == (1000, 1000)


def test_ratios_and_ideal_times_are_against_as_many_separate_networks(measured: Any) -> None:
    result, _ = measured
    separate = {row["tasks"]: row for row in result["cases"] if row["kind"] == "separate"}
    for row in result["cases"]:
        dense = separate[row["tasks"]]
        key = "mean_ms" if row["kind"] == "hold" else "p50_ms"
        assert row["ratio"] == pytest.approx(dense[key] / row[key], rel=0.02)
        assert row["ideal_ms"] == pytest.approx(row["work"] * dense["p50_ms"], rel=0.02)
    work = {(row["tasks"], row["name"]): row["work"] for row in result["cases"]}
    assert work[1, "dirty 1"] == pytest.approx(1.0)
    assert 0.5 < work[2, "shared encoder"] < work[2, "dirty 1"] < 1.0
    assert work[2, "hold 4"] == pytest.approx(work[2, "dirty 1"] / 4, rel=1e-3)
    steps = [work[2, f"dirty {fraction}"] for fraction in ("1", "0.5", "0.25")]
    assert steps[0] - steps[1] == pytest.approx(2 * (steps[1] - steps[2]), rel=1e-2)


def test_cases_that_share_a_camera_have_each_its_own_share(bundle_path: Path) -> None:
    camera = SceneCamera(open_engine(bundle_path, "onnxruntime", 1))
    dense = []
    step = camera.stream.step

    def counted(*arguments: Any) -> Any:
        found = step(*arguments)
        dense.append(bool(found.dirty.all()))
        return found

    camera.stream.step = counted  # type: ignore[method-assign]
    cases = [StreamCase(camera, 0.25), HoldCase(camera, 3), StreamCase(camera, 0.05)]
    _, stages = take_turns(cases, rounds=21)
    # A token more may be due by its age.
    for case, tokens in ((0, 12), (2, 2)):
        found = {round(48 * stage["dirty_fraction"]) for stage in stages[case]}
        assert found <= {tokens, tokens + 1} and tokens in found
    # Three rounds are warm-up; the first frame of all is dense, too.
    assert len(dense) == 2 * 24 + 8 and sum(dense) in (8, 9)


class Nothing:
    """A case that computes nothing."""

    def __init__(self, name: str, period: int = 1) -> None:
        """Take what the case is called and after how many frames it repeats."""
        self.name, self.period = name, period

    def prepare(self) -> None:
        """Make nothing."""

    def step(self) -> dict[str, float]:
        """Take no time."""
        return {}


def test_what_is_held_is_averaged_over_whole_periods() -> None:
    seconds = [[0.5, 0.0, 0.4, 0.0, 0.2], [0.1, 0.2, 0.3, 0.2, 0.2]]
    stages: list[list[dict[str, float]]] = [[{}] * 5, [{"stem": 1.0}, *[{"stem": 3.0}] * 4]]
    held, stream = summary([Nothing("hold 2", 2), Nothing("dirty 1")], (seconds, stages))
    assert held["mean_ms"] == 150.0 and held["p50_ms"] == 100.0
    assert stream["p50_ms"] == 200.0 and stream["stages_p50"] == {"stem": 3.0}


def test_cases_take_turns_in_changing_order() -> None:
    seen: list[str] = []

    class Noted(Nothing):
        def step(self) -> dict[str, float]:
            seen.append(self.name)
            return {}

    told: list[Any] = []
    seconds, _ = take_turns([Noted(name) for name in "abc"], 10, lambda *step: told.append(step))
    assert [len(one) for one in seconds] == [10] * 3 and told[-1] == (13, 13)
    turns = ["".join(seen[3 * turn : 3 * turn + 3]) for turn in range(13)]
    assert {"".join(sorted(turn)) for turn in turns} == {"abc"} and len(set(turns)) > 3


@torch.no_grad()
def test_the_dense_rivals_compute_the_networks() -> None:
    torch.manual_seed(0)
    network = SingleTaskNetwork(SMALL, 3).eval()
    image = torch.randn(1, 3, 96, 128)
    assert torch.allclose(DenseGraph(network)(image), network(image), atol=1e-5)
    shared = SharedEncoder(SMALL, {"normals": 3, "depth": 1}).eval()
    expected = shared(image)
    for raw, task in zip(SharedGraph(shared)(image), expected, strict=True):
        assert torch.allclose(raw, expected[task], atol=1e-5)


def test_each_rival_has_a_graph_of_its_tasks_alone(bundle_path: Path, tmp_path: Path) -> None:
    spec = load_manifest(bundle_path).input
    rivals = Rivals(SMALL, THREE, tmp_path, threads=1)
    separate, shared = rivals.separate(THREE), rivals.shared(THREE[:2])
    image = np.full((96, 128, 3), 90, np.uint8)
    arrays = separate.step(image, spec)
    assert [(a.shape, str(a.dtype)) for a in arrays] == [
        ((96, 128, 3), "float32"),
        ((96, 128), "float32"),
        ((96, 128), "uint8"),
        ((96, 128), "uint8"),
    ]
    for one, other in zip(shared.step(image, spec), arrays, strict=False):
        assert np.allclose(one, other, atol=1e-4, equal_nan=True)
    assert len(separate.first(1).step(image, spec)) == 1
    graph = onnx.load(tmp_path / "dense_depth.onnx").graph
    assert [output.name for output in graph.output] == ["depth"]
    # Two heads fewer: each has a linear, a 1x1 convolution, two mixing blocks and a projection.
    whole = onnx.load(tmp_path / "dense.onnx").graph
    assert len(graph.initializer) < len(whole.initializer) - 20
    weights = {i.name for i in graph.initializer}
    assert weights == {i.name for i in whole.initializer if i.name in weights}
    DenseCase("two", shared, spec).prepare()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": (6,)}, "--tasks 6: expected 1 to 5"),
        ({"fractions": (1.0, 0.0)}, "--fraction 0.0: expected above 0"),
        ({"fractions": (1.5,)}, "--fraction 1.5"),
        ({"rounds": 10}, "--rounds 10: expected at least 20"),
        ({"sizes": ((100, 48),)}, "multiples of 16"),
        ({"widths": (20,)}, "width 20 is not a multiple of heads"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        run_bench(Matrix(**change), tmp_path / "bench.json")
    assert list(tmp_path.iterdir()) == []


def test_networks_are_measured_from_the_smallest_on() -> None:
    matrix = Matrix(widths=(192, 768), sizes=((640, 480), (320, 240)))
    found = [(network.width, network.size[0]) for network in matrix.networks()]
    assert found == [(192, 320), (192, 640), (768, 320), (768, 640)]
