"""A study's tables say what its results say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtshare_ros.study import study_tables
from mtshare_ros.study.results import results_of
from mtshare_ros.study.study_config import load_study
from mtshare_ros.study.study_tables import markdown
from support.study_files import (
    study_values,
    write_study,
)


def test_the_table_leaves_out_a_system_that_lacks_a_task(
    study_data: Path, study_runs: list[Path], tmp_path: Path
) -> None:
    for run in study_runs:
        (run / "units_normals.safetensors").unlink()
    study = load_study(write_study(tmp_path / "s.yaml", study_values(study_data, *study_runs)))
    text = markdown(results_of(study))
    assert "| heads |" in text and "| units |" not in text
    assert f"Not trained in {study_runs[0]}: units_normals" in text


def test_the_table_shows_values_intervals_and_the_best_in_bold(results: Any, timing: Any) -> None:
    text = markdown(results, timing)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines[:7]}) == 1
    best = min(
        results["systems"], key=lambda one: one["tasks"]["depth"]["metrics"]["rmse"]["value"]
    )
    value = best["tasks"]["depth"]["metrics"]["rmse"]["value"]
    shown = next(line for line in lines if line.startswith(f"| {best['title']} |"))
    assert f"**{value:.3f}**" in shown and "[" in shown
    assert "- units: a note" in text and "depth: AbsRel ↓" in text
    assert "ms, all tokens" in text and "ms, 25 % of the tokens" in text
    assert "against *separate* (30 steps)" in text and "input 64x48" in text


def test_the_best_is_bold_in_the_direction_of_its_metric() -> None:
    cells = [{"value": 1.0}, None, {"value": 3.0}]
    for higher, expected in ((True, ["1", "–", "**3**"]), (False, ["**1**", "–", "3"])):
        texts = study_tables._bold_best(cells, lambda c: f"{c['value']:g}", higher=higher)
        assert texts == expected
    assert study_tables._bold_best([None], str, higher=True) == ["–"]


def test_numbers_are_rounded_and_signed_as_readers_expect() -> None:
    signed = [study_tables._signed(value) for value in (-0.04, 0.04, -1.25, 2.0)]
    assert signed == ["0.0", "0.0", "−1.2", "+2.0"]
    estimate = {"value": 1.0, "low": -2.0, "high": 3.04}
    assert study_tables._interval(estimate) == "+1.0 [−2.0, +3.0]"


def test_a_metric_is_shown_in_its_unit() -> None:
    def shown(task: str, key: str, value: float) -> str:
        row = {"tasks": {task: {"metrics": {key: {"value": value}}}}}
        (text,) = study_tables._metric_column({"systems": [row]}, task, key)
        return text

    assert shown("segmentation", "miou", 0.61234) == "**61.2**"
    assert shown("depth", "rmse", 0.61234) == "**0.612**"
    assert shown("normals", "mean_deg", 12.345678) == "**12.35**"


def test_times_are_those_of_the_share_and_costs_those_of_the_further_tasks() -> None:
    cases = [{"system": "a", "fraction": f, "p50_ms": 100 * f} for f in (1.0, 0.25)]
    found = [study_tables._milliseconds({"cases": cases}, "a", f) for f in (1.0, 0.25, 0.5)]
    assert found == ["100.0", "25.0", "–"]
    assert study_tables._milliseconds(None, "a", 1.0) == "–"
    tasks = {name: {"parameters_percent": p} for name, p in (("a", 100), ("b", 20), ("c", 30))}
    assert study_tables._further_task({"tasks": tasks}) == "25.0"
    assert study_tables._further_task({"tasks": {"a": tasks["a"]}}) == "–"


def test_the_columns_of_costs_are_in_the_order_of_their_header(results: Any, timing: Any) -> None:
    header, _, *lines = study_tables._cost(
        {**results, "also": ["heads"]}
        | {"systems": [{**row, "delta_m_against": {"heads": None}} for row in results["systems"]]},
        timing,
    ).splitlines()
    names = [cell.strip() for cell in header.strip("|").split("|")]
    assert names == [
        "",
        "steps",
        "a further task, % of a network's parameters",
        "Δm against heads, %",
        "Δm less that of Shared encoder",
        "Δm of each seed",
        "ms, all tokens",
        "ms, 25 % of the tokens",
    ]
    cells = [cell.strip() for cell in lines[1].strip("|").split("|")]
    # The rival is held against nothing, and nothing is known of the heads here.
    assert cells[0] == "Shared encoder" and cells[3:5] == ["–", "–"]
    assert cells[6:] == ["2.0", "0.5"]
