"""Many bags: each evaluated in a process of its own, here or on a Ray cluster; one summary."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from mtshare_ros.bundle.folder import file_digest
from mtshare_ros.errors import JobError, OptionError, exit_status, one_line, written
from mtshare_ros.evaluation.bag_frames import BagFrames
from mtshare_ros.evaluation.evaluate import evaluate
from mtshare_ros.evaluation.report.report_files import JSON_NAME
from mtshare_ros.evaluation.run_options import Options
from mtshare_ros.perception.camera.calibration import AUTO
from mtshare_ros.progress import OnCount, silent

SUMMARY = "summary.json"
"""File of the summary in the output's folder."""
_KEY = "job.json"
"""File that says what a finished report depends on; if nothing of it changed, it is kept."""
_KEPT = ("frames", "truth_frames", "tasks", "warnings")
"""Entries of a report that the summary has, too."""
_FAILURE = "failure.txt"
"""File that says why a bag has no report."""

_LOCAL: dict[str, Any] = {"include_dashboard": False}
"""Options of a Ray cluster that is started here."""


@dataclass(frozen=True)
class Job:
    """One bag to evaluate.

    Attributes:
        bundle: The bundle's folder.
        bag: The bag.
        folder: Folder of its report.
        options: How to run.
        topic: Topic of the images, or None.
        intrinsics: Which matrix of the calibration is the images'.
    """

    bundle: Path
    bag: Path
    folder: Path
    options: Options
    topic: str | None
    intrinsics: str = AUTO

    def key(self) -> dict[str, Any]:
        """Return all that the report depends on."""
        manifest, stat = self.bundle / "manifest.json", self.bag.stat()
        return {
            "bundle": file_digest(manifest) if manifest.is_file() else None,
            "bag": [str(self.bag.resolve()), stat.st_size, stat.st_mtime_ns],
            # JSON has no tuples: a key that was read has lists.
            "options": asdict(self.options) | {"baselines": list(self.options.baselines)},
            "topic": self.topic,
            "intrinsics": self.intrinsics,
        }

    def is_finished(self) -> bool:
        """Return whether there is a report, and nothing that it depends on has changed."""
        try:
            key = json.loads((self.folder / _KEY).read_text())
            return (self.folder / JSON_NAME).is_file() and key == self.key()
        except (OSError, ValueError):
            return False


def evaluate_bags(
    bundle: Path,
    bags: Sequence[Path],
    output: Path,
    options: Options,
    workers: int = 1,
    ray_address: str | None = None,
    topic: str | None = None,
    intrinsics: str = AUTO,
    on_bag: OnCount = silent,
) -> dict[str, Any]:
    """Evaluate bags side by side; a bag that fails is reported and does not stop the others.

    Finished reports are kept: the same call goes on where it was stopped.

    Args:
        bundle: The bundle's folder.
        bags: The bags.
        output: Folder of the summary, with a folder of each bag's report.
        options: How to run.
        workers: Bags at a time on this machine; each has ``options.threads`` threads.
        ray_address: A Ray cluster to use instead (``local`` starts one here). Bundle, bags and
            output must have the same paths on its machines.
        topic: Topic of the images; see ``ClipReader``.
        intrinsics: Which matrix of the calibration is the images'; see ``ClipReader``.
        on_bag: Called after each bag with the bags done and those in all.

    Returns:
        The content of ``summary.json``.

    Raises:
        OptionError: A bag is there twice.
    """
    jobs = [
        Job(bundle, bag, output / name, options, topic, intrinsics)
        for name, bag in zip(_names(bags), bags, strict=True)
    ]
    output.mkdir(parents=True, exist_ok=True)
    todo = [job for job in jobs if not (job.bag.exists() and job.is_finished())]
    done = len(jobs) - len(todo)
    for _ in _run_on_ray(todo, ray_address) if ray_address else _run_here(todo, workers):
        done += 1
        on_bag(done, len(jobs))
    summary = summarise(jobs)
    with written(output / SUMMARY):
        (output / SUMMARY).write_text(json.dumps(summary, indent=2) + "\n")
    return summary


def _names(bags: Sequence[Path]) -> list[str]:
    """Return a folder name for each bag: its own name, with its folder's where two are alike."""
    if len({bag.resolve() for bag in bags}) < len(bags):
        raise OptionError(f"--bag: {', '.join(map(str, bags))}; expected each once")
    stems = [bag.name.removesuffix(".mcap").removesuffix(".db3") for bag in bags]
    names: list[str] = []
    for bag, stem in zip(bags, stems, strict=True):
        name = stem if stems.count(stem) == 1 else f"{bag.resolve().parent.name}-{stem}"
        number = sum(other == name or other.startswith(f"{name}-") for other in names)
        names.append(f"{name}-{number + 1}" if name in names else name)
    return names


def _work(job: Job) -> None:
    """Evaluate one bag; if that fails, leave the reason in its folder."""
    for name in (_KEY, _FAILURE):
        (job.folder / name).unlink(missing_ok=True)
    job.folder.mkdir(parents=True, exist_ok=True)
    try:
        source = partial(BagFrames, job.bag, job.topic, intrinsics=job.intrinsics)
        evaluate(job.bundle, source, job.folder, job.options)
        (job.folder / _KEY).write_text(json.dumps(job.key()))
    except Exception as error:
        reason = one_line(error)
        if exit_status(error) is None:
            reason = f"{type(error).__name__}: {reason}"
        _note_failure(job, reason)


def _note_failure(job: Job, reason: str) -> None:
    job.folder.mkdir(parents=True, exist_ok=True)
    (job.folder / _FAILURE).write_text(reason + "\n")


def _run_here(
    jobs: Sequence[Job], workers: int, work: Callable[[Job], None] = _work
) -> Iterator[Job]:
    """Yield a job whenever one has ended."""
    # Each bag has a process of its own: if it is killed, say for its memory, the others go on.
    context = get_context("spawn")

    def run(job: Job) -> Job:
        process = context.Process(target=work, args=(job,), daemon=True)
        process.start()
        try:
            process.join()
        finally:
            process.kill()
        if process.exitcode:
            _note_failure(job, f"its process ended with {process.exitcode}")
        return job

    with ThreadPoolExecutor(workers) as pool:
        running = [pool.submit(run, job) for job in jobs]
        try:
            for finished in as_completed(running):
                yield finished.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _run_on_ray(jobs: Sequence[Job], address: str) -> Iterator[Job]:
    """Yield a job whenever one has ended on a cluster."""
    import ray

    try:
        ray.init(address, log_to_driver=False, **_LOCAL if address == "local" else {})
    except Exception as error:  # Ray raises errors of its parts.
        ray.shutdown()  # Some of them may have started.
        raise JobError(f"Ray at {address}: {one_line(error)}") from error
    try:
        work = ray.remote(_work)
        running = {
            work.options(num_cpus=job.options.threads, max_retries=1).remote(job): job
            for job in jobs
        }
        while running:
            (ended, *_), _ = ray.wait(list(running), num_returns=1)
            job = running.pop(ended)
            try:
                ray.get(ended)
            except ray.exceptions.RayError as error:
                _note_failure(job, one_line(error))
            yield job
    finally:
        ray.shutdown()


def summarise(jobs: Sequence[Job]) -> dict[str, Any]:
    """Return the content of ``summary.json``.

    Returns:
        ``bags``: name -> ``bag``, ``state`` (``done`` or ``failed``), ``error``, ``frames``,
        ``truth_frames``, ``tasks`` and ``warnings``. ``mean``: task -> metrics, each the mean over
        the bags that have it, weighted by their frames with truth; it is not the metric of all
        pixels, which reports do not hold.
    """
    bags: dict[str, Any] = {}
    for job in jobs:
        entry: dict[str, Any] = {"bag": str(job.bag)}
        if (job.folder / _KEY).is_file():
            report = json.loads((job.folder / JSON_NAME).read_text())
            entry |= {"state": "done"}
            entry |= {key: report[key] for key in _KEPT if key in report}
        else:
            failure = job.folder / _FAILURE
            reason = failure.read_text().strip() if failure.is_file() else "was not run"
            entry |= {"state": "failed", "error": reason}
        bags[job.folder.name] = entry
    return {"bags": bags, "mean": _means(bags.values())}


def _means(entries: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return task -> metric -> its mean over the bags, weighted by their frames with truth."""
    sums: dict[tuple[str, str], float] = defaultdict(float)
    frames: dict[tuple[str, str], int] = defaultdict(int)
    for entry in entries:
        for task, values in entry.get("tasks", {}).items():
            weight = entry.get("truth_frames", {}).get(task, entry["frames"])
            for key, value in values.items():
                sums[task, key] += value * weight
                frames[task, key] += weight
    means: dict[str, dict[str, float]] = {}
    for (task, key), total in sums.items():
        means.setdefault(task, {})[key] = total / frames[task, key]
    return means
