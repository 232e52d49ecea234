"""The live node at camera rate for a while."""

import dataclasses

import pytest

from mtshare_ros.replay.soak import Sample, SoakResult, soak
from support.camera_bag import write_bag

NOTHING_WRONG = SoakResult(
    seconds=60.0,
    sent=100,
    counts={},
    overtaken=2,
    uncounted=0,
    outputs={},
    lost_outputs={},
    unknown_stamps=0,
    memory_growth=0.019,
    p99_ratio=1.2,
    cpu_ms=20.0,
    stage_ms={},
    samples=[Sample(1.0, 100.0, 10.0)],
)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, []),
        ({"uncounted": -1}, ["-1 received images were never accounted for"]),
        ({"unknown_stamps": 3}, ["3 outputs have stamps of no input"]),
        ({"memory_growth": 0.021}, ["memory grew by 2.1%"]),
        ({"p99_ratio": 2.0}, ["p99 latency grew by a factor of 2.00"]),
    ],
)
def test_what_a_node_that_can_be_trusted_would_not_show_is_a_fault(change, says):
    assert dataclasses.replace(NOTHING_WRONG, **change).faults() == says


def run(bundle, folder, seconds, **options):
    found = []
    result = soak(bundle, write_bag(folder / "bag"), seconds, on_sample=found.append, **options)
    assert found == result.samples and len(found) >= 20
    assert result.sent > 0.5 * 30 * seconds
    assert result.counts["received"] + result.overtaken == result.sent
    assert result.uncounted == result.unknown_stamps == 0
    assert result.counts["processed"] > 0 and result.counts["failed"] == 0
    assert min(result.lost_outputs.values()) >= 0
    return result


def test_a_few_seconds_of_it_are_accounted_for(tmp_path, bundle_path):
    result = run(bundle_path, tmp_path, 5.0, size=(96, 64), parameters={"output_size": "input"})
    assert result.cpu_ms > 0 and {"ros", "total", "latency"} <= set(result.stage_ms)


@pytest.mark.slow
def test_in_a_minute_memory_does_not_grow_and_nothing_is_lost(tmp_path, bundle_path):
    result = run(bundle_path, tmp_path, 60.0)
    assert result.memory_growth <= 0.02, [s.resident_mib for s in result.samples]
