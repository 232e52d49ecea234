"""The plots of a study."""

from pathlib import Path

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.study.study_plots import private_shares


def test_shares_of_each_block_are_drawn(tmp_path: Path) -> None:
    shares = {"depth": [LayerShare(n, 16 * n) for n in range(3)]}
    private_shares(shares, LayerShare(3, 64), tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
