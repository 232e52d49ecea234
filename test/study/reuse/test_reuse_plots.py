"""Plots of the study of reuse: what else they show is held with the command."""

from mtshare_ros.study.reuse import reuse_plots


def test_ways_are_sorted_into_their_families() -> None:
    names = ("tokens:0.5", "hold:2", "warp:4", "carry:3")
    families = [reuse_plots._sort({"policy": name}) for name in names]
    assert families == ["tokens", "hold", "warp", "carry"]
