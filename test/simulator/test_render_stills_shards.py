"""Shards of a training set."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtshare_ros.errors import UserError
from mtshare_ros.simulator import render_stills
from mtshare_ros.simulator.movement.trajectories import KINDS
from mtshare_ros.simulator.render import View
from mtshare_ros.simulator.render_stills import ROOMS_PER_SHARD, Job, is_finished, parts

SEEN = View(
    rgb=np.full((1, 2, 3), 90, np.uint8),
    depth=np.full((1, 2), 1.5, np.float32),
    labels=np.zeros((1, 2), np.uint8),
    normals=np.array([[[0.6, 0.0, -0.8]] * 2], np.float32),
    geoms=np.zeros((1, 2), np.int32),
)


@given(st.integers(0, 10_000), st.integers(0, 60))
def test_every_seed_is_in_one_shard_in_order(first, count):
    seeds = range(first, first + count)
    shards = list(parts(Job(Path("set"), seeds, 2, (48, 36), "auto")))
    assert [seed for shard in shards for seed in shard.seeds] == list(seeds)
    assert all(len(shard.seeds) <= ROOMS_PER_SHARD for shard in shards)
    assert [shard.folder.name for shard in shards] == [
        f"shard-{shard.seeds[0]:06d}" for shard in shards
    ]


def test_a_shard_is_finished_when_it_has_every_view(tmp_path: Path):
    job = Job(tmp_path / "shard", range(3), 2, (48, 36), "auto")
    assert not is_finished(job)
    job.folder.mkdir()
    for views, finished in ((4, False), (6, True)):
        np.save(job.folder / "seeds.npy", np.zeros(views, np.int64))
        assert is_finished(job) == finished


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seeds": range(0)}, "expected seeds from 0 up"),
        ({"seeds": range(-1, 2)}, "rooms -1 to 1: expected seeds from 0 up"),
        ({"views_per_room": 0}, "views 0: expected at least 1"),
        ({"workers": 0}, "workers 0: expected at least 1"),
        ({"size": (8, 48)}, "size 8x48"),
    ],
)
def test_what_can_not_be_rendered_makes_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: Any, says: str
):
    def begin() -> None:
        raise AssertionError("it was not refused")

    monkeypatch.setattr(render_stills, "require_gl", begin)
    options = {"seeds": range(2), "views_per_room": 1, "size": (64, 48), "workers": 1, **changes}
    with pytest.raises(UserError, match=says):
        render_stills.render_stills(tmp_path / "set", **options)
    assert not (tmp_path / "set").exists()


def test_a_damaged_shard_is_rendered_again(tmp_path: Path):
    job = Job(tmp_path / "shard", range(3), 2, (48, 36), "auto")
    job.folder.mkdir()
    for content in (b"", b"cut", b"\x93NUMPY\x01\x00"):
        (job.folder / "seeds.npy").write_bytes(content)
        assert not is_finished(job)


def test_a_set_that_grows_to_both_sides_names_all_its_rooms(tmp_path: Path):
    for seeds in (range(20, 30), range(0, 10), range(5, 25)):
        render_stills._write_meta(Job(tmp_path, seeds, 1, (64, 48), "auto"))
    assert json.loads((tmp_path / "meta.json").read_text())["seeds"] == [0, 30, 1]


def test_the_kinds_of_movement_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[Any] = []

    def render(*arguments: Any, **options: Any) -> Any:
        asked.append((*arguments[:3], options["textures"]))
        return iter(())

    monkeypatch.setattr(render_stills, "render_clip", render)
    assert list(render_stills._clips(Job(tmp_path, range(5, 10), 3, (64, 48), "B", True))) == []
    kinds = [KINDS[1], KINDS[2], KINDS[3], KINDS[0], KINDS[1]]
    assert asked == [(kind, 5 + n, 3, "B") for n, kind in enumerate(kinds)]


def test_each_view_of_a_room_is_drawn_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    drawn: list[float] = []

    class Camera:
        def __init__(self, intrinsics: Any) -> None:
            self.load = lambda scene: None

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def render(self, pose: Any) -> View:
            return SEEN

    def sample(rng: np.random.Generator, room: Any) -> None:
        drawn.append(float(rng.random()))

    monkeypatch.setattr(render_stills, "Renderer", Camera)
    monkeypatch.setattr(render_stills, "make_room", lambda *_: None)
    monkeypatch.setattr(render_stills, "compile_scene", lambda room: None)
    monkeypatch.setattr(render_stills, "sample_pose", sample)
    list(render_stills._views(Job(tmp_path, range(2), 3, (2, 1), "auto")))
    assert len(drawn) == len(set(drawn)) == 6


def test_normals_are_stored_as_the_nearest_of_their_steps():
    frame = render_stills._stored(SEEN.rgb, SEEN, 4)
    # 127 * 0.6 = 76.2 and 127 * 0.8 = 101.6.
    assert frame["normals"].tolist() == [[[76, 0, -102]] * 2]
    assert frame["depth"].dtype == np.float16 and frame["seeds"] == 4


def test_frames_of_finished_shards_are_counted_from_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    finished = tmp_path / "shard-000000"
    finished.mkdir()
    np.save(finished / "seeds.npy", np.zeros(20, np.int64))

    class Pool(ThreadPoolExecutor):
        def __init__(self, workers: int, mp_context: Any) -> None:
            super().__init__(workers)

    monkeypatch.setattr(render_stills, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(render_stills, "require_gl", lambda: None)
    monkeypatch.setattr(render_stills, "render_shard", lambda job: 2 * len(job.seeds))
    steps: list[Any] = []
    render_stills.render_stills(
        tmp_path, range(25), 2, (64, 48), 1, on_frame=lambda *step: steps.append(step)
    )
    assert steps[-1] == (50, 50) and steps[0] in ((40, 50), (30, 50))
