"""odsF of two folders of files, whatever network they come from: `mtshare boundary-score`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.image_sets import matlab_files, picture_files, truth_files
from mtshare_ros.datasets.image_sets.image_set import read_names, without_ending
from mtshare_ros.datasets.lines import outlines
from mtshare_ros.errors import OptionError, written
from mtshare_ros.metrics.boundary_matching import LEVELS, THOUSANDTHS, count_boundaries
from mtshare_ros.progress import OnCount, silent

SUFFIXES = (".png", ".npy", ".mat")
"""Files that are read, in any case; a name must be there with one of them only."""


@dataclass(frozen=True)
class BoundaryScore:
    """The score of a whole set at one tolerance.

    Attributes:
        max_distance: Farthest distance of a pair in image diagonals.
        ods_f: Best F-measure at one threshold for the whole set, 0 to 1.
        threshold: That threshold, 0 to 1.
        precision: Precision there.
        recall: Recall there.
        images: Number of images.
    """

    max_distance: float
    ods_f: float
    threshold: float
    precision: float
    recall: float
    images: int


def score_folders(
    predictions: Path,
    truths: Path,
    max_distances: Sequence[float],
    outline: bool = False,
    names: Path | None = None,
    workers: int = 2,
    on_image: OnCount = silent,
) -> list[BoundaryScore]:
    """Return the scores of predicted boundaries, one for each tolerance.

    Args:
        predictions: Folder of 8-bit PNG (255 is sure) or ``.npy`` (H, W) of 0 to 1; or one file.
        truths: Folder of as many files of the same names, or one file: 8-bit PNG or ``.npy`` of
            lines (0 is none), or ``.mat`` with a ``LabelMap`` whose outlines are taken, as
            PASCAL-Context has.
        max_distances: Farthest distances of a pair in image diagonals.
        outline: Take the outlines of PNG and ``.npy`` too: of label maps, or of lines as the
            published NYUD protocol does.
        names: Text file with the names to score, one a line; all by default.
        workers: Processes.
        on_image: Called after each image.

    Raises:
        OptionError: A file is missing, or the sizes of two differ.
        DatasetError: A file can't be read.
    """
    pairs = _pairs(predictions, truths, names)
    sums = np.zeros((len(max_distances), 3, len(LEVELS)), np.int64)
    # Spawned: a forked child would share OpenCV's threads.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(_count, *pair, outline, max_distances) for pair in pairs]
        try:
            for done, finished in enumerate(as_completed(running), start=1):
                sums += finished.result()
                on_image(done, len(pairs))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if not sums[0, 2, 0]:
        raise OptionError(f"{truths}: no boundary in {len(pairs)} images; expected lines above 0")
    return [_score(d, s, len(pairs)) for d, s in zip(max_distances, sums, strict=True)]


def write_scores(path: Path, scores: Sequence[BoundaryScore]) -> None:
    """Write scores as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {"scores": [asdict(score) for score in scores]}
    with written(path):
        path.write_text(json.dumps(values, indent=2) + "\n")


def _score(max_distance: float, sums: NDArray[np.int64], images: int) -> BoundaryScore:
    matched, predicted, actual = sums.astype(np.float64)
    f = 2 * matched / (predicted + actual)
    best = int(f.argmax())
    return BoundaryScore(
        max_distance,
        float(f[best]),
        float(THOUSANDTHS[best]) / 1000,
        float(matched[best] / max(predicted[best], 1.0)),
        float(matched[best] / actual[best]),
        images,
    )


def _count(
    prediction: Path, truth: Path, outline: bool, max_distances: Sequence[float]
) -> NDArray[np.int64]:
    """Return (tolerances, 3, 101): pairs, predicted and actual pixels."""
    cv2.setNumThreads(1)  # The processes are what runs in parallel.
    probability, lines = _read_probability(prediction), read_lines(truth, outline)
    if probability.shape != lines.shape:
        raise OptionError(
            f"{prediction}: {probability.shape[1]}x{probability.shape[0]}, but"
            f" {truth}: {lines.shape[1]}x{lines.shape[0]}; expected one size"
        )
    counts = count_boundaries(probability, lines.astype(np.float32), max_distances)
    levels = len(LEVELS)
    return np.stack([(c.matched, c.predicted, np.full(levels, c.actual)) for c in counts])


def _read_probability(path: Path) -> NDArray[np.uint8]:
    values = _read(path, picture_files.grey)
    if values.ndim == 2 and values.dtype == np.uint8:
        truth_files.check_bytes(path, values)
        return np.asarray(values, np.uint8)
    if values.ndim == 2 and values.dtype.kind == "f" and 0 <= values.min() <= values.max() <= 1:
        return np.rint(255 * values).astype(np.uint8)
    raise OptionError(
        f"{path}: {values.shape} {values.dtype} from {values.min()} to {values.max()}; expected"
        " (H, W) of 8 bits, or of floats from 0 to 1"
    )


def read_lines(path: Path, outline: bool) -> NDArray[np.bool_]:
    """Return the true boundaries (H, W) of a file.

    Raises:
        OptionError: The file is no single-channel image.
        DatasetError: The file can't be read.
    """
    values = _read(path, picture_files.indices if outline else picture_files.grey)
    if values.ndim != 2:
        raise OptionError(f"{path}: {values.shape}; expected (H, W)")
    return outlines(values) if outline or _ending(path) == ".mat" else values > 0


def _read(path: Path, picture: Callable[[Path], NDArray[Any]]) -> NDArray[Any]:
    readers = {".npy": truth_files.array, ".mat": matlab_files.label_map}
    return readers.get(_ending(path), picture)(path)


def _ending(path: Path) -> str:
    return path.suffix.lower()


def _pairs(predictions: Path, truths: Path, names: Path | None) -> list[tuple[Path, Path]]:
    for path in (predictions, truths):
        if not path.exists():
            raise OptionError(f"{path}: not found; expected a folder or a file")
    if predictions.is_file() and truths.is_file():
        return [(predictions, truths)]
    found, expected = _by_name(predictions), _by_name(truths)
    wanted = set(found) | set(expected)
    if names is not None:
        wanted = {without_ending(name, wanted) for name in read_names(names)}
    if not wanted:
        raise OptionError(f"{predictions}: no file that ends in {', '.join(SUFFIXES)}")
    for folder, have in ((predictions, found), (truths, expected)):
        missing = sorted(wanted - set(have))
        if missing:
            raise OptionError(
                f"{folder}: no file {missing[0]} ({len(missing)} of {len(wanted)} missing);"
                " name what to score with --names"
            )
    return [(found[name], expected[name]) for name in sorted(wanted)]


def _by_name(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise OptionError(f"{folder}: a file; expected a folder, like the other one")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        # Hidden files are of a system, not of the user: .DS_Store, ._x.png.
        if _ending(path) in SUFFIXES and not path.name.startswith("."):
            if path.stem in found:
                raise OptionError(f"{found[path.stem]} and {path}: expected one of them")
            found[path.stem] = path
    return found
