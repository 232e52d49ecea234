"""The job behind `mtshare study reuse`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtshare_ros import cli
from mtshare_ros.study.reuse.reuse_study import Options


def test_the_command_writes_numbers_and_plots(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, bundle_path: Path, reuse_bag: Path
) -> None:
    arguments = ["study", "reuse", str(bundle_path), "--bag", str(reuse_bag)]
    assert cli.run([*arguments, "--output", str(tmp_path), "--threads", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    written = {Path(line).name for line in lines if line.startswith(str(tmp_path))}
    plots = {"error_over_time.png", "frames_clip.png", "dirty_tokens.png"}
    assert written == {"reuse.json", *plots}
    (kind,) = json.loads((tmp_path / "reuse.json").read_text())["kinds"]
    assert [entry["period"] for entry in kind["equal_time"]] == [2, 4, 8, 2, 4, 8]
    ours = [entry["ours"].split(":")[0] for entry in kind["equal_time"][::3]]
    assert ours == ["tokens", "carry"]
    assert all((tmp_path / name).stat().st_size > 5000 for name in plots)


def test_every_budget_of_every_policy_and_every_period_is_a_way() -> None:
    options = Options(periods=(2, 4), carried=(3,), policies=("tokens", "age"), budgets=(1.0, 0.5))
    assert [way.name for way in options.ways()] == [
        "tokens:1",
        "tokens:0.5",
        "age:1",
        "age:0.5",
        "hold:2",
        "hold:4",
        "warp:2",
        "warp:4",
        "carry:3",
    ]
    assert options.ways()[1].settings.max_dirty_fraction == 0.5
