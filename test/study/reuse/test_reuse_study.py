"""The job behind `mtshare study reuse`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mtshare_ros import cli
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.study.reuse import reuse_study
from mtshare_ros.study.reuse.played_clips import Clip
from mtshare_ros.study.reuse.reuse_study import Options
from support.samples import SMALL


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


def test_tokens_are_recomputed_above_the_threshold_that_is_set() -> None:
    (way,) = Options(periods=(), carried=(), budgets=(0.5,), change_threshold=0.3).ways()
    assert way.settings == StreamSettings(0.5, change_threshold=0.3)


@pytest.mark.parametrize(
    ("times", "expected"),
    [((0.9, 1.02, 1.5), 4), ((0.9, 1.0, 1.01), 8), ((1.5, 1.6, 1.7), 2)],
)
def test_the_longest_period_at_equal_time_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: tuple[float, ...], expected: int
) -> None:
    drawn: dict[str, Any] = {}
    for name in ("error_over_time", "frames", "strips"):
        monkeypatch.setattr(
            reuse_study, name, lambda *values, name=name: drawn.update({name: values})
        )
    entries = [
        {"period": period, "ours": f"{kind}:{period}", "time": time}
        for kind in ("tokens", "carry")
        for period, time in zip((2, 4, 8), times, strict=True)
    ]
    clips = [Clip(name, [f"{name} dense", f"{name} first"], [], {}) for name in ("a-1", "b-1")]  # type: ignore[list-item]
    kind = {"name": "b", "clips": ["b-1"], "equal_time": entries}
    manifest = SimpleNamespace(tasks=[])
    numbers = {"kinds": [kind], "clips": ["summary a", "summary b"]}
    files = reuse_study._draw(clips, numbers, manifest, tmp_path)  # type: ignore[arg-type]
    names = ["error_over_time.png", "frames_b.png", "dirty_tokens.png"]
    assert [path.name for path in files] == names
    shown = (f"tokens:{expected}", f"hold:{expected}", f"carry:{expected}")
    assert drawn["frames"][:3] == ("summary b", [], shown)
    assert drawn["strips"][0] == [(clips[1], "b-1 first")]


def test_separate_networks_are_timed_in_milliseconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = SimpleNamespace(step=lambda image, spec: time.sleep(0.02))
    rivals = SimpleNamespace(separate=lambda tasks: networks)
    monkeypatch.setattr(reuse_study, "Rivals", lambda *_: rivals)
    manifest = SimpleNamespace(network=SMALL.to_dict(), tasks=[], input=None)
    measured = reuse_study._separate(manifest, tmp_path, 1)  # type: ignore[arg-type]
    assert 20 <= measured(np.zeros((2, 2, 3), np.uint8)) < 2000


def test_what_could_not_be_read_of_a_bag_is_in_the_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = SimpleNamespace(manifest=SimpleNamespace(tasks=[]))
    clips = iter([Clip("a", [], [], {}, ("cut off",)), Clip("b", [], [], {}, ("lost", "more"))])
    for name, value in (
        ("open_engine", lambda *_: engine),
        ("warm_up", lambda *_: None),
        ("_separate", lambda *_: None),
        ("play", lambda *_, **__: next(clips)),
        ("summary", lambda clip, tasks: clip.name),
        ("by_kind", lambda *values: values),
        ("_draw", lambda *_: []),
    ):
        monkeypatch.setattr(reuse_study, name, value)
    options = Options(periods=(2, 3), threads=1)
    found, _ = reuse_study.compare_reuse(Path("m"), [Path("a"), Path("b")], tmp_path, options)
    assert found["warnings"] == ["cut off", "lost", "more"] and found["bundle"] == "m"
    assert found["kinds"] == (["a", "b"], (2, 3)) and found["threads"] == 1
