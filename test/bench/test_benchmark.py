"""The benchmark measures what it says it measures."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from mtshare_ros.bench.benchmark import Matrix, _part, run_bench
from mtshare_ros.bench.result_reader import read_result
from mtshare_ros.errors import OptionError
from mtshare_ros.tasks import TASKS


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


def test_a_network_is_as_its_width_says_and_limits_are_included() -> None:
    (network,) = Matrix(widths=(96,)).networks()
    assert (network.hidden, network.heads, network.depth) == (384, 6, 12)
    Matrix(rounds=20).check()  # What is computed once in twenty frames is there.
    with pytest.raises(OptionError, match="--tasks 0: expected 1 to 5"):
        Matrix(tasks=(0,)).counts(5)
    assert Matrix(tasks=(5, 1, 5)).counts(5) == [1, 5]
    assert Matrix().counts(5) == [3] and Matrix(bundle=Path("b")).counts(5) == [5]


def test_progress_goes_on_from_network_to_network() -> None:
    told: list[Any] = []
    report = _part(lambda *step: told.append(step), start=3.0, own=1.0, total=4.0)
    for done in (0, 5, 10):
        report(done, 10)
    assert told == [(750, 1000), (875, 1000), (1000, 1000)]
