"""Which tasks the parameters allow, and how often each is computed."""

from __future__ import annotations

from collections.abc import Sequence

from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.ros.parameters import ALL_TASKS, ParameterError


def allowed_tasks(manifest: Manifest, tasks: Sequence[str]) -> frozenset[str]:
    """Return the tasks that the parameter ``tasks`` means.

    Raises:
        ParameterError: The bundle lacks one of them.
    """
    names = [task.name for task in manifest.tasks]
    unknown = [task for task in tasks if task not in (*names, ALL_TASKS)]
    if unknown:
        raise ParameterError(
            f"tasks has {', '.join(unknown)}; bundle {manifest.name} has {', '.join(names)}"
        )
    return frozenset(names if ALL_TASKS in tasks else tasks)


def task_every(manifest: Manifest, rates: Sequence[str]) -> dict[str, int]:
    """Return what the parameter ``task_every`` means: task -> frames.

    Raises:
        ParameterError: The bundle lacks one of the tasks.
    """
    parsed = {task: int(frames) for task, _, frames in (rate.partition(":") for rate in rates)}
    names = [task.name for task in manifest.tasks]
    unknown = [task for task in parsed if task not in (*names, ALL_TASKS)]
    if unknown:
        raise ParameterError(
            f"task_every has {', '.join(unknown)}; bundle {manifest.name} has {', '.join(names)}"
        )
    others = parsed.pop(ALL_TASKS, 1)
    return {name: parsed.get(name, others) for name in names}
