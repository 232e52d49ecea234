"""From trained runs to the numbers of a study: ``results.json``."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mtshare_ros.metrics.names import METRICS
from mtshare_ros.progress import OnStep, silent
from mtshare_ros.study.delta_m import (
    LEVEL,
    Values,
    common,
    delta_m,
    difference,
    estimate,
    relative_change,
    room_weights,
)
from mtshare_ros.study.room_scores import RoomScores, open_rooms, score
from mtshare_ros.study.study_config import Study, StudyError, System
from mtshare_ros.study.trained_task import full_parameters, predict, steps_of
from mtshare_ros.training.stored import record_of, stage_path

PerSeed = dict[str, Values]
"""Run -> values."""


def results_of(study: Study, on_step: OnStep = silent) -> dict[str, Any]:
    """Score every finished stage of a study and return the content of ``results.json``.

    Args:
        study: The study.
        on_step: Called while a network is scored, with stills as steps.

    Raises:
        StudyError: No run has every stage of the reference.
        OptionError: The stills are none of test rooms.
    """
    return _Numbers(study, on_step).results()


def missing_stages(study: Study) -> dict[str, list[str]]:
    """Return the stages that aren't finished: run -> names."""
    stages = dict.fromkeys(s for system in study.systems for s in system.tasks.values())
    missing = {
        str(run): [stage for stage in stages if not stage_path(run, stage).is_file()]
        for run in study.runs
    }
    return {run: names for run, names in missing.items() if names}


class _Numbers:
    """The sums of every finished stage, and what follows from them."""

    def __init__(self, study: Study, on_step: OnStep) -> None:
        self.study, self.on_step = study, on_step
        self.missing = missing_stages(study)
        self._require_reference()
        self.stills = open_rooms(study.data)
        self.weights = room_weights(len(self.stills.seeds), study.resamples, study.seed)
        # Of a run, a stage and a task; systems share stages.
        self._scores, self._values = cache(self._score), cache(self._resample)

    def _require_reference(self) -> None:
        needed = set(self.study.system(self.study.reference).tasks.values())
        lacking = {run: needed & set(names) for run, names in self.missing.items()}
        if len([run for run, names in lacking.items() if names]) == len(self.study.runs):
            text = "; ".join(f"{run} lacks {', '.join(sorted(s))}" for run, s in lacking.items())
            raise StudyError(f"reference {self.study.reference}: in no run complete: {text}")

    def results(self) -> dict[str, Any]:
        """Return everything."""
        study = self.study
        systems = [self._system(system) for system in study.systems]
        return {
            "name": study.name,
            "description": study.description,
            "data": str(study.data),
            "rooms": len(self.stills.seeds),
            "stills": len(self.stills),
            "runs": [str(run) for run in study.runs],
            "metrics": study.metrics,
            "columns": {task: list(keys) for task, keys in study.columns.items()},
            "reference": study.reference,
            "also": list(study.also),
            "rival": study.rival,
            "bootstrap": {
                "resamples": study.resamples,
                "seed": study.seed,
                "level_percent": LEVEL,
            },
            "systems": [row for row in systems if row["tasks"]],
            "missing": self.missing,
        }

    def _runs(self, stage: str) -> list[Path]:
        """Return the runs that have finished a stage."""
        return [run for run in self.study.runs if stage not in self.missing.get(str(run), ())]

    def _score(self, run: Path, stage: str, task: str) -> RoomScores:
        study = self.study
        return score(run, stage, task, study.data, self.stills, study.size, self.on_step)

    def _resample(self, run: Path, stage: str, task: str) -> Values:
        return self._scores(run, stage, task).resampled(self.weights, self.study.metrics[task])

    def _per_seed(self, system: System, task: str) -> PerSeed:
        """Return the values of the metric of Delta_m, by run; fewer where stages lack."""
        if task not in system.tasks:
            return {}
        stage = system.tasks[task]
        return {str(run): self._values(run, stage, task) for run in self._runs(stage)}

    def _changes(self, system: System, reference: str) -> dict[str, PerSeed]:
        """Return task -> run -> relative change against a reference."""
        against = self.study.system(reference)
        changes = {}
        for task, metric in self.study.metrics.items():
            ours, theirs = self._per_seed(system, task), self._per_seed(against, task)
            changes[task] = {
                run: relative_change(ours[run], theirs[run], METRICS[metric].higher_is_better)
                for run in common([ours, theirs])
            }
        return changes

    def _delta(self, system: System, reference: str) -> PerSeed:
        """Return run -> Delta_m, of the runs that have every task of both."""
        changes = self._changes(system, reference)
        return {
            run: delta_m({task: values[run] for task, values in changes.items()})
            for run in common(list(changes.values()))
        }

    @cached_property
    def _rival(self) -> PerSeed:
        assert self.study.rival is not None
        return self._delta(self.study.system(self.study.rival), self.study.reference)

    def _system(self, system: System) -> dict[str, Any]:
        study = self.study
        delta = self._delta(system, study.reference)
        row: dict[str, Any] = {
            "name": system.name,
            "title": system.label,
            "group": system.group,
            "plotted": system.plotted,
            "note": system.note,
            "rho": self._rho(system),
            "tasks": self._tasks(system),
            "delta_m": _estimate(delta),
            "delta_m_against": {name: _estimate(self._delta(system, name)) for name in study.also},
            "against_rival": None,
        }
        if study.rival is not None and system.name != study.rival:
            row["against_rival"] = _estimate(difference(delta, self._rival))
        return row

    def _tasks(self, system: System) -> dict[str, Any]:
        changes = self._changes(system, self.study.reference)
        scored = {}
        for task, metric in self.study.metrics.items():
            stage = system.tasks.get(task, "")
            runs = self._runs(stage) if stage else []
            if not runs:
                continue
            whole = {str(run): self._scores(run, stage, task).whole() for run in runs}
            keys = (metric, *self.study.columns.get(task, ()))
            trained = predict(runs[0], stage, task)
            whole_network = full_parameters(trained.config, task)
            scored[task] = {
                "stage": stage,
                "steps": list(steps_of(runs[0], stage)),
                "parameters": trained.parameters,
                "parameters_percent": 100.0 * trained.parameters / whole_network,
                "metrics": {
                    key: {
                        "value": float(np.mean([scores[key] for scores in whole.values()])),
                        "per_seed": {run: scores[key] for run, scores in whole.items()},
                    }
                    for key in keys
                },
                "change": _estimate(changes[task]),
            }
        return scored

    def _rho(self, system: System) -> float | None:
        """Return the mean private share of the sub-tasks, in the first run that has them."""
        if system.rho is not None:
            return system.rho
        shares = []
        for task, stage in system.tasks.items():
            runs = self._runs(stage)
            rho = record_of(runs[0], stage).get("rho") if runs else None
            if isinstance(rho, dict) and task in rho:
                shares.append(float(rho[task]))
        return float(np.mean(shares)) if shares else None


def _estimate(per_seed: PerSeed) -> dict[str, Any] | None:
    return asdict(estimate(per_seed)) if per_seed else None
