"""The rows of a study: which trained stage stands for which task; one YAML, strictly checked."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from mtshare_ros.errors import OptionError
from mtshare_ros.metrics.names import METRICS
from mtshare_ros.network.config import STRIDE
from mtshare_ros.settings import Strict, load_settings
from mtshare_ros.tasks import TASKS


class StudyError(OptionError):
    """A study can't be made as it was asked for; the message names the file and the key."""


class System(Strict):
    """One way to get every task: a row of the table.

    Attributes:
        name: Key of the system in files and in the other settings of the study.
        title: What people read; the name by default.
        group: Systems of one group stand together, and the plot joins those that have a rho.
        note: A remark under the table.
        tasks: Task -> stage that trained it.
        rho: Private share, where the stages' records don't say it.
        plotted: Whether it stands in the plot over time.
    """

    name: str
    title: str = ""
    group: str = ""
    note: str = ""
    tasks: dict[str, str] = Field(min_length=1)
    rho: float | None = Field(default=None, ge=0, le=1)
    plotted: bool = True

    @property
    def label(self) -> str:
        """The title, or the name where there is none."""
        return self.title or self.name


class Study(Strict):
    """A whole study.

    Attributes:
        name: Heading of the table.
        description: What was trained on what, in one line.
        data: Folder of rendered stills of test rooms.
        size: Width and height that the networks are scored and timed at; their own by default.
        runs: Folders of the runs, one per training seed.
        metrics: Task -> metric of Delta_m.
        columns: Task -> further metrics that are shown.
        reference: System that Delta_m compares with.
        also: Systems that a further column of Delta_m compares with.
        rival: System that every other one's Delta_m is held against, pair by pair.
        curves: Stages whose learning curves are drawn; those of every system by default.
        systems: The rows, in the order of the table.
        resamples: Bootstrap resamples of the rooms.
        seed: Seed of the bootstrap.
    """

    name: str
    description: str = ""
    data: Path
    size: tuple[int, int] | None = None
    runs: tuple[Path, ...] = Field(min_length=1)
    metrics: dict[str, str] = {"normals": "mean_deg", "depth": "rmse", "segmentation": "miou"}
    columns: dict[str, tuple[str, ...]] = {}
    reference: str
    also: tuple[str, ...] = ()
    rival: str | None = None
    curves: tuple[str, ...] = ()
    systems: tuple[System, ...] = Field(min_length=1)
    resamples: int = Field(default=2000, ge=100)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _fits(self) -> Study:
        if self.size is not None and any(side % STRIDE or side <= 0 for side in self.size):
            raise ValueError(f"size {self.size}: expected multiples of {STRIDE}")
        names = [system.name for system in self.systems]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"systems: the name {name!r} is there twice")
        for key, wanted in (
            ("reference", (self.reference,)),
            ("also", self.also),
            ("rival", () if self.rival is None else (self.rival,)),
        ):
            for name in wanted:
                if name not in names:
                    raise ValueError(f"{key} {name!r}: expected one of {', '.join(names)}")
        for task, metric in self.metrics.items():
            _check_metrics("metrics", task, (metric,))
        for task, columns in self.columns.items():
            _check_metrics("columns", task, columns)
        for system in self.systems:
            unknown = set(system.tasks) - set(self.metrics)
            if unknown:
                raise ValueError(
                    f"system {system.name}: task {min(unknown)!r}, expected one of"
                    f" {', '.join(self.metrics)}"
                )
        missing = set(self.metrics) - set(self.system(self.reference).tasks)
        if missing:
            raise ValueError(f"reference {self.reference!r} lacks task {min(missing)!r}")
        return self

    def system(self, name: str) -> System:
        """Return the system called ``name``."""
        return next(system for system in self.systems if system.name == name)


def _check_metrics(key: str, task: str, metrics: tuple[str, ...]) -> None:
    if task not in TASKS:
        raise ValueError(f"{key}: no task {task!r}, expected one of {', '.join(TASKS)}")
    for metric in metrics:
        if metric not in TASKS[task].metrics or metric not in METRICS:
            known = ", ".join(TASKS[task].metrics)
            raise ValueError(f"{key}.{task}: {metric!r}, expected one of {known}")


def load_study(path: Path) -> Study:
    """Read and check a study.

    Raises:
        StudyError: The file is not YAML, or a key or value is wrong.
    """
    return load_settings(path, Study, StudyError)
