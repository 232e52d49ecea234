"""The tables say what a benchmark's file says."""

from __future__ import annotations

from typing import Any

import pytest

from mtshare_ros.bench.bench_tables import (
    added_by_tasks,
    by_tasks,
    close_look,
    fixed_share,
    label_of,
    markdown_table,
    title_of,
)


def test_the_first_column_is_left_and_a_bar_does_not_split_a_cell() -> None:
    text = markdown_table(["way", "ms"], [["a|b", "1.0"], ["c", "2.0"]])
    assert text.splitlines() == ["| way | ms |", "| --- | ---: |", "| a/b | 1.0 |", "| c | 2.0 |"]


def test_a_table_without_rows_is_its_header() -> None:
    assert markdown_table(("case",), []) == "| case |\n| --- |"


def test_the_tables_show_each_case_of_three_tasks_and_medians_by_tasks(result: Any) -> None:
    lines = close_look(result["cases"]).splitlines()
    assert lines[0].startswith("| 3 tasks | p50, ms | p95, ms | p99, ms |")
    assert lines[2:] == [
        "| separate dense networks | 300.0 | 301.0 | 302.0 | 1.00 |  |",
        "| shared encoder | 120.0 | 121.0 | 122.0 | 2.50 | 150.0 |",
        "| all tokens dirty | 160.0 | 161.0 | 162.0 | 1.88 | 150.0 |",
        "| a quarter | 40.0 | 41.0 | 42.0 | 7.50 | 37.5 |",
        "| 5 % | 8.0 | 9.0 | 10.0 | 37.50 | 7.5 |",
        "| all tokens in 1 frame of 4, held between: mean | 41.0 | 42.0 | 43.0 | 7.32 | 37.5 |",
    ]
    text = by_tasks(result["cases"])
    assert "| p50, ms | 1 task | 2 tasks | 3 tasks |" in text
    assert "| shared encoder |  | 110.0 | 120.0 |" in text and "held" not in text
    assert "2: 0.30, 3: 0.20; on average 0.25." in text


def test_what_a_further_task_adds_is_in_times_of_one_dense_network(result: Any) -> None:
    assert added_by_tasks(result["cases"]) == {2: 0.3, 3: 0.2}
    without = [r for r in result["cases"] if (r["kind"], r["tasks"]) != ("separate", 1)]
    assert added_by_tasks(without) == {}
    assert fixed_share(result["cases"], "normals") == pytest.approx(0.06)
    assert fixed_share([r for r in without if r["kind"] != "separate"], "normals") is None
    assert by_tasks([r for r in result["cases"] if r["tasks"] == 3]) == ""


def test_the_tables_of_an_engine_without_rivals_leave_out_what_is_not_known(result: Any) -> None:
    streams = [r for r in result["cases"] if r["kind"] == "stream" and r["tasks"] == 3]
    for one in streams:
        one["stages_p50"] = {"total": 5.0}
        del one["work"], one["ideal_ms"]
    assert "| a quarter | 40.0 | 41.0 | 42.0 | 7.50 |  |" in close_look(streams)
    assert by_tasks(streams) == "" and fixed_share(streams, "normals") is None


def test_a_setting_is_called_by_its_engine_and_a_held_case_by_its_period(result: Any) -> None:
    (setting,) = result["settings"]
    assert title_of(setting) == "Width 384, depth 12, 320x240"
    on_gpu = {**setting, "engine": "tensorrt", "precision": "fp16", "bundle": "room"}
    assert title_of(on_gpu) == (
        "The bundle `room`: width 384, depth 12, 320x240, tensorrt in fp16"
    )
    # 1 / 0.0667 is a little less than fifteen.
    assert "1 frame of 15," in label_of({"kind": "hold", "fraction": 0.0667})
    assert label_of({"kind": "stream", "fraction": 0.0625}) == "6.25 %"
