"""A case computes what its name says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtshare_ros.bench.cases import HoldCase, SceneCamera, StreamCase
from mtshare_ros.bench.measurement import take_turns
from mtshare_ros.perception.engines import open_engine


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
