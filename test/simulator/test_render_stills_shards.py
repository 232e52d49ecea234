"""Shards of a training set."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mtshare_ros.simulator.render_stills import ROOMS_PER_SHARD, Job, is_finished, parts


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
