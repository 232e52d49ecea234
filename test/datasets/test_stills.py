"""Reading a training set: documented units, and damage named; without a simulator."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from mtshare_ros.datasets import stills
from mtshare_ros.datasets.stills import StillsDataset, StillsError
from mtshare_ros.errors import exit_status
from support.stills import ROOMS, SIZE


def test_frames_have_the_documented_shapes_and_units(rendered_stills):
    dataset = StillsDataset(rendered_stills)
    assert len(dataset) == ROOMS
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
        assert frame["seeds"] == index % ROOMS
    with pytest.raises(IndexError):
        dataset[ROOMS]


def test_a_folder_without_stills_or_of_another_version_is_refused(rendered_stills, tmp_path):
    with pytest.raises(FileNotFoundError, match="meta.json"):
        StillsDataset(tmp_path)
    meta = json.loads((rendered_stills / "meta.json").read_text())
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
def test_a_damaged_shard_is_named(rendered_stills, tmp_path, content):
    folder = tmp_path / "copy"
    shutil.copytree(rendered_stills, folder)
    (folder / "shard-000010" / "depth.npy").write_bytes(content)
    with pytest.raises(StillsError, match="shard-000010"):
        StillsDataset(folder)


def test_the_seeds_are_those_of_the_rooms_that_are_there(rendered_stills, tmp_path):
    assert StillsDataset(rendered_stills).seeds == set(range(ROOMS))
    folder = tmp_path / "copy"
    shutil.copytree(rendered_stills, folder)
    shutil.rmtree(folder / "shard-000000")
    assert StillsDataset(folder).seeds == {10}


def test_training_reads_them_where_no_simulator_is_installed(rendered_stills):
    code = (
        "import sys; sys.modules['mujoco'] = None\n"
        "from pathlib import Path\n"
        "from mtshare_ros.datasets.stills import StillsDataset\n"
        "from mtshare_ros.training.batches import validation_batches\n"
        f"stills = StillsDataset(Path({str(rendered_stills)!r}))\n"
        f"print(next(validation_batches(stills, (32, 32), 4, ('depth',)))['depth'].shape)\n"
        "assert not [name for name in sys.modules if name.startswith('mtshare_ros.simulator')]\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "32, 32" in result.stdout


def test_the_former_command_names_the_new_one():
    command = [sys.executable, "-m", stills.__name__, "--output", "out"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2 and result.stdout == ""
    assert "mtshare render" in result.stderr and result.stderr.count("\n") == 1


def test_frames_are_counted_over_shards_from_either_end(rendered_stills):
    dataset = StillsDataset(rendered_stills)
    assert [int(dataset.stored(i)["seeds"]) for i in range(-ROOMS, ROOMS)] == 2 * [*range(ROOMS)]
    for index in (ROOMS, -ROOMS - 1):
        with pytest.raises(IndexError, match=f"frame {index}: expected less than {ROOMS}"):
            dataset.stored(index)
    assert dataset.clip_length == 1


def test_arrays_of_another_type_and_wrong_entries_are_named(rendered_stills, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(rendered_stills, folder)
    path = folder / "shard-000010" / "depth.npy"
    np.save(path, np.load(path).astype(np.float32))
    with pytest.raises(StillsError, match="depth.npy: .* float32; expected .* float16"):
        StillsDataset(folder)
    meta = json.loads((rendered_stills / "meta.json").read_text())
    for key, value in (("fx", 0), ("fx", float("inf")), ("size", [0, 24]), ("seeds", [0, 1])):
        (tmp_path / "meta.json").write_text(json.dumps({**meta, key: value}))
        with pytest.raises(StillsError, match=f"meta.json: {key} is .*; render it again"):
            StillsDataset(tmp_path)
    clips = {**meta, "clips": True, "views_per_room": 4}
    (tmp_path / "meta.json").write_text(json.dumps(clips))
    assert StillsDataset(tmp_path).clip_length == 4
    (tmp_path / "meta.json").write_text(json.dumps({**clips, "views_per_room": 0}))
    with pytest.raises(StillsError, match="views_per_room is 0 of clips"):
        StillsDataset(tmp_path)
