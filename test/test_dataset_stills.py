"""The training set: reproducible, continued where it was interrupted, in the documented units."""

import json
import shutil

import numpy as np
import pytest

from mtshare_ros.datasets import stills
from mtshare_ros.datasets.stills import KINDS, StillsDataset, render_stills

SIZE = (48, 36)


def render(folder, rooms=3, workers=1, **changes):
    settings = {"views_per_room": 1, "size": SIZE, "workers": workers, **changes}
    render_stills(folder, range(rooms), **settings)
    return folder


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """Eleven rooms: two shards, the second one short."""
    return render(tmp_path_factory.mktemp("stills") / "one", rooms=11)


def arrays(folder):
    dataset = StillsDataset(folder)
    frames = [dataset.stored(index) for index in range(len(dataset))]
    return {kind: np.stack([frame[kind] for frame in frames]) for kind in KINDS}


def assert_same(one, other):
    for kind in KINDS:
        np.testing.assert_array_equal(one[kind], other[kind])


def test_two_workers_render_the_same_as_one(rendered, tmp_path):
    assert_same(arrays(render(tmp_path / "two", rooms=11, workers=2)), arrays(rendered))


def test_what_was_interrupted_is_finished_and_what_was_finished_is_left_alone(rendered, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(rendered, folder)
    first, second = sorted(folder.glob("shard-*"))
    shutil.rmtree(second)
    (folder / f"partial-{second.name}").mkdir()
    before = (first / "rgb.npy").stat().st_mtime_ns
    assert_same(arrays(render(folder, rooms=11)), arrays(rendered))
    assert (first / "rgb.npy").stat().st_mtime_ns == before
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in rendered.iterdir())


def test_a_set_that_grows_completes_its_short_last_shard(rendered, tmp_path):
    folder = render(tmp_path / "grown", rooms=2)
    assert len(StillsDataset(folder)) == 2
    assert_same(arrays(render(folder, rooms=11)), arrays(rendered))


def test_nothing_is_rendered_again_when_all_is_there(rendered, monkeypatch):
    def refuse(job):
        raise AssertionError(job)

    monkeypatch.setattr(stills, "_render_shard", refuse)
    render(rendered, rooms=11)


@pytest.mark.parametrize("changes", [{"size": (32, 24)}, {"textures": "B"}])
def test_frames_of_other_settings_are_not_mixed_in(rendered, changes):
    with pytest.raises(ValueError, match="meta.json"):
        render(rendered, rooms=11, **changes)


def test_frames_have_the_documented_shapes_and_units(rendered):
    dataset = StillsDataset(rendered)
    assert len(dataset) == 11
    assert dataset.meta["size"] == list(SIZE)
    assert dataset.meta["fx"] == pytest.approx(0.8 * SIZE[0])
    width, height = SIZE
    for index in (0, 7, 10, -1):
        frame = dataset[index]
        assert frame["rgb"].shape == (height, width, 3) and frame["rgb"].dtype == np.uint8
        assert frame["labels"].shape == (height, width) and frame["labels"].dtype == np.uint8
        assert frame["depth"].dtype == frame["normals"].dtype == np.float32
        valid = np.isfinite(frame["depth"])
        assert valid.mean() > 0.95
        assert 0.05 < frame["depth"][valid].min() and frame["depth"][valid].max() < 13.0
        length = np.linalg.norm(frame["normals"][valid], axis=-1)
        assert np.abs(length - 1).max() < 0.02
        assert frame["seeds"] == index % 11
    with pytest.raises(IndexError):
        dataset[11]


def test_a_folder_without_stills_or_of_another_version_is_refused(rendered, tmp_path):
    with pytest.raises(FileNotFoundError, match="meta.json"):
        StillsDataset(tmp_path)
    meta = json.loads((rendered / "meta.json").read_text())
    (tmp_path / "meta.json").write_text(json.dumps({**meta, "version": 99}))
    with pytest.raises(ValueError, match="99"):
        StillsDataset(tmp_path)
