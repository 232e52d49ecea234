"""Evaluations as `mtshare evaluate` starts them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from mtshare_ros.evaluation.bag_frames import BagFrames
from mtshare_ros.evaluation.evaluate import evaluate
from mtshare_ros.evaluation.run_options import Options
from mtshare_ros.progress import OnCount, silent


def evaluate_bag(
    bundle: Path, bag: Path, output: Path, options: Options, on_frame: OnCount = silent
) -> dict[str, Any]:
    """Score a bundle on a bag's frames; return the content of ``report.json``."""
    return evaluate(bundle, partial(BagFrames, bag, None), output, options, on_frame)
