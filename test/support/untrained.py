"""A stage's trainer without the training: what it starts from, and what it leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtshare_ros.training.configuration import load_config
from mtshare_ros.training.devices import open_fabric
from mtshare_ros.training.loop import Job
from mtshare_ros.training.stage_context import StageContext
from mtshare_ros.training.stage_settings import Stage
from support.fake_stills import config, write_config
from support.study_files import TINY


class Untrained(StageContext):
    """Takes the job of a stage, and what is scored, instead of training and scoring it."""

    job: Any = None
    pretrained: Any = None

    def fit(self, job: Job, stage: Stage) -> dict[str, Any]:
        """Keep the job."""
        self.job = job
        return {"kind": stage.kind, "steps": 0}

    def validate(self, stage: Stage, network: Any, subtask: Any, task: str) -> Any:
        """Keep what is scored."""
        self.scored = {**getattr(self, "scored", {}), task: (network, subtask)}
        return {task: {"scored": 1.0}}

    def pretrain(self, stage: Any, network: Any) -> None:
        """Keep the network that pretrained weights would be loaded into."""
        self.pretrained = network


def untrained(run: Path, *stages: dict[str, Any], **changes: Any) -> Untrained:
    """Return a context for some stages, whose earlier ones are on disk in ``run``."""
    run.mkdir(parents=True, exist_ok=True)
    values = config(*stages, network=TINY.to_dict(), **changes)
    opened = load_config(write_config(run / "c.yaml", values))
    return Untrained(opened, run, False, open_fabric("fp32"))
