"""Rendering a training set: reproducible, continued where it was interrupted."""

import shutil

import numpy as np
import pytest

from mtshare_ros.datasets.stills import KINDS, StillsDataset, StillsError
from mtshare_ros.simulator import render_stills as rendering
from mtshare_ros.simulator.render_stills import render_stills
from support.stills import ROOMS, SIZE


def render(folder, rooms=3, workers=1, **changes):
    settings = {"views_per_room": 1, "size": SIZE, "workers": workers, **changes}
    render_stills(folder, range(rooms), **settings)
    return folder


def arrays(folder):
    dataset = StillsDataset(folder)
    frames = [dataset.stored(index) for index in range(len(dataset))]
    return {kind: np.stack([frame[kind] for frame in frames]) for kind in KINDS}


def assert_same(one, other):
    for kind in KINDS:
        np.testing.assert_array_equal(one[kind], other[kind])


def test_two_workers_render_the_same_as_one(rendered_stills, tmp_path):
    assert_same(arrays(render(tmp_path / "two", rooms=ROOMS, workers=2)), arrays(rendered_stills))


def test_what_was_interrupted_is_finished_and_what_was_finished_is_left_alone(
    rendered_stills, tmp_path
):
    folder = tmp_path / "copy"
    shutil.copytree(rendered_stills, folder)
    first, second = sorted(folder.glob("shard-*"))
    shutil.rmtree(second)
    (folder / f"partial-{second.name}").mkdir()
    before = (first / "rgb.npy").stat().st_mtime_ns
    assert_same(arrays(render(folder, rooms=ROOMS)), arrays(rendered_stills))
    assert (first / "rgb.npy").stat().st_mtime_ns == before
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        p.name for p in rendered_stills.iterdir()
    )


def test_a_set_that_grows_completes_its_short_last_shard(rendered_stills, tmp_path):
    folder = render(tmp_path / "grown", rooms=2)
    assert len(StillsDataset(folder)) == 2
    assert_same(arrays(render(folder, rooms=ROOMS)), arrays(rendered_stills))


def test_nothing_is_rendered_stills_again_when_all_is_there(rendered_stills, monkeypatch):
    def refuse(job):
        raise AssertionError(job)

    monkeypatch.setattr(rendering, "render_shard", refuse)
    render(rendered_stills, rooms=ROOMS)


@pytest.mark.parametrize("changes", [{"size": (32, 24)}, {"textures": "B"}])
def test_frames_of_other_settings_are_not_mixed_in(rendered_stills, changes):
    with pytest.raises(StillsError, match="meta.json"):
        render(rendered_stills, rooms=ROOMS, **changes)


def test_the_frames_of_a_clip_follow_each_other(rendered_stills, tmp_path):
    folder = render(tmp_path / "clips", rooms=2, views_per_room=3, clips=True)
    dataset = StillsDataset(folder)
    assert (dataset.clip_length, len(dataset), dataset.seeds) == (3, 6, {0, 1})
    assert StillsDataset(rendered_stills).clip_length == 1
    frames = [dataset.stored(n)["rgb"].astype(float) for n in range(6)]
    near = max(abs(frames[n + 1] - frames[n]).mean() for n in (0, 1, 3, 4))
    assert near < abs(frames[3] - frames[2]).mean() / 2
    with pytest.raises(StillsError, match="clips is True, expected False"):
        render(folder, rooms=2, views_per_room=3)


def test_the_progress_counts_frames_that_were_there_before(tmp_path):
    folder, steps = render(tmp_path / "set", rooms=2, views_per_room=2), []
    render(folder, rooms=12, views_per_room=2, on_frame=lambda *step: steps.append(step))
    assert steps[-1] == (24, 24) and [total for _, total in steps] == [24] * len(steps)
