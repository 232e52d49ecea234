"""The training set: reproducible, continued where it was interrupted, in the documented units."""

import json
import shutil
import sys

import numpy as np
import pytest

from mtshare_ros.datasets import stills
from mtshare_ros.datasets.stills import StillsDataset, StillsError, render_stills
from mtshare_ros.errors import exit_status
from mtshare_ros.simulator.shards import KINDS

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

    monkeypatch.setattr(stills, "render_shard", refuse)
    render(rendered, rooms=11)


@pytest.mark.parametrize("changes", [{"size": (32, 24)}, {"textures": "B"}])
def test_frames_of_other_settings_are_not_mixed_in(rendered, changes):
    with pytest.raises(StillsError, match="meta.json"):
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
    with pytest.raises(StillsError, match="99") as error:
        StillsDataset(tmp_path)
    assert exit_status(error.value) == 2


@pytest.mark.parametrize("text", ["", "not json", "[1]", '{"version": 1}'])
def test_a_damaged_meta_file_is_named(tmp_path, text):
    (tmp_path / "meta.json").write_text(text)
    with pytest.raises(StillsError, match="meta.json"):
        StillsDataset(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no array"])
def test_a_damaged_shard_is_named(rendered, tmp_path, content):
    folder = tmp_path / "copy"
    shutil.copytree(rendered, folder)
    (folder / "shard-000010" / "depth.npy").write_bytes(content)
    with pytest.raises(StillsError, match="shard-000010"):
        StillsDataset(folder)


def test_the_seeds_are_those_of_the_rooms_that_are_there(rendered, tmp_path):
    assert StillsDataset(rendered).seeds == set(range(11))
    folder = tmp_path / "copy"
    shutil.copytree(rendered, folder)
    shutil.rmtree(folder / "shard-000000")
    assert StillsDataset(folder).seeds == {10}


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--size", "320by240", "320by240"),
        ("--size", "9" * 5000 + "x240", "WIDTHxHEIGHT"),
        ("--views", "0", "views 0"),
        ("--workers", "0", "workers 0"),
        ("--first-seed", "-1", "-1"),
        ("--rooms", "0", "rooms"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line_and_writes_nothing(
    capsys, monkeypatch, tmp_path, option, value, said
):
    arguments = ["stills", "--output", str(tmp_path / "out"), option, value]
    monkeypatch.setattr(sys, "argv", arguments)
    assert stills.main() == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and said in err
    assert list(tmp_path.iterdir()) == []


def test_the_frames_of_a_clip_follow_each_other(rendered, tmp_path):
    folder = render(tmp_path / "clips", rooms=2, views_per_room=3, clips=True)
    dataset = StillsDataset(folder)
    assert (dataset.clip_length, len(dataset), dataset.seeds) == (3, 6, {0, 1})
    assert StillsDataset(rendered).clip_length == 1
    frames = [dataset.stored(n)["rgb"].astype(float) for n in range(6)]
    near = max(abs(frames[n + 1] - frames[n]).mean() for n in (0, 1, 3, 4))
    assert near < abs(frames[3] - frames[2]).mean() / 2
    with pytest.raises(StillsError, match="clips is True, expected False"):
        render(folder, rooms=2, views_per_room=3)
