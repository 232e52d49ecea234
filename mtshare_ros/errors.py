"""Which errors are a user's mistake, and what is said about them in one line.

A user's mistake is known by its class, not by a broad ``except ValueError``: a ValueError out of
an array operation is a bug of this package and has to keep its traceback. The classes are held by
name, so that a command imports no more than it needs.
"""

from __future__ import annotations

USER_ERRORS = frozenset(
    {
        "mtshare_ros.errors.OptionError",
        "mtshare_ros.manifest.BundleError",
        "mtshare_ros.datasets.bags.BagError",
        "mtshare_ros.datasets.image_sets.interface.DatasetError",
        "mtshare_ros.datasets.labelling.settings.TeacherError",
        "mtshare_ros.datasets.rooms.gl.GLUnavailableError",
        "mtshare_ros.datasets.stills.StillsError",
        "mtshare_ros.network.timm_vit.BackboneError",
        "mtshare_ros.ros.bag_source.ReplayError",
        "mtshare_ros.ros.images.ImageError",
        "mtshare_ros.ros.parameters.ParameterError",
        "mtshare_ros.training.checkpoints.CheckpointError",
        "mtshare_ros.training.config.ConfigError",
    }
)
"""Errors that name what was found and what was expected: exit status 2."""

JOB_ERRORS = frozenset(
    {
        "mtshare_ros.errors.JobError",
        "mtshare_ros.evaluation.stopping.StoppedEarly",
        "mtshare_ros.export.check.GraphError",
        "mtshare_ros.perception.engines.interface.EngineError",
    }
)
"""Errors of a job that was asked for rightly and failed: exit status 1."""

EXTRAS = {
    "torch": "offline",
    "onnx": "offline",
    "onnxscript": "offline",
    "mujoco": "offline",
    "safetensors": "offline",
    "pydantic": "offline",
    "tensorboard": "offline",
    "yaml": "offline",
    "PIL": "offline",
    "ray": "cluster",
    "jinja2": "report",
    "matplotlib": "report",
    "rosbags": "report",
    "scipy": "report",
    "tqdm": "report",
    "onnxruntime": "online",
    "cv2": "online",
    "numpy": "online",
    "rclpy": "ros",
    "sensor_msgs": "ros",
    "diagnostic_msgs": "ros",
    "std_srvs": "ros",
}
"""Module -> the extra of this package that installs it."""


class OptionError(ValueError):
    """An option's value can't be used; the message names it and what was expected."""


class JobError(RuntimeError):
    """A job was asked for rightly and its outcome is not what it has to be."""


def exit_status(error: BaseException) -> int | None:
    """Return the exit status that an error stands for; None if it is a bug."""
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    if names & USER_ERRORS or isinstance(error, OSError) or _missing_extra(error):
        return 2
    return 1 if names & JOB_ERRORS else None


def one_line(error: BaseException) -> str:
    """Return what to tell the user about an error, in one line."""
    extra = _missing_extra(error)
    if extra:
        assert isinstance(error, ModuleNotFoundError)
        return f"{error.name} is not installed: pip install 'mtshare_ros[{extra}]'"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def _missing_extra(error: BaseException) -> str | None:
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return None
    return EXTRAS.get(error.name.partition(".")[0])
