"""`mtshare`: one sub-command per job.

Every command parses, calls one function and prints what came out. What a job needs is imported
inside its command, so that `mtshare doctor` runs where torch, ROS or a simulator is missing.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

import typer

from mtshare_ros.commands import bench, data, model, robot, score, study, video
from mtshare_ros.errors import exit_status, in_one_line, one_line

RESEARCH = "Score and compare"
COMMANDS = {
    "Run on a robot": (
        robot.doctor,
        robot.demo,
        video.video,
        robot.replay,
        robot.soak,
        model.build,
    ),
    "Make data": (data.simulate, data.render, data.label),
    "Make a model": (model.train, model.export, model.inspect),
    RESEARCH: (score.evaluate, score.boundary_score, bench.bench, bench.bench_report),
}
"""Heading in the help -> the commands below it: the headings say who needs them."""

app = typer.Typer(
    help="Depth, segmentation, normals and more from one network pass, for ROS 2.\n\n"
    "A bundle is a folder with an exported model, such as models/room.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
for heading, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=heading)(command)
app.add_typer(study.app, name="study", rich_help_panel=RESEARCH)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0 when it was done, 1 when it failed, 2 for a user's mistake."""
    _prepare()
    try:
        return app(arguments, prog_name="mtshare", standalone_mode=False) or 0
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", 130)
    except typer.TyperException as error:
        return _fail(error.format_message(), 2)
    except Exception as error:
        status = exit_status(error)
        if status is None:
            raise
        return _fail(one_line(error), status)


def _prepare() -> None:
    """Make up for what an environment lacks: a home folder, and letters of a file's name."""
    if not os.path.isabs(os.path.expanduser("~")):
        # A user without an entry and without HOME, as in a container; Matplotlib looks there.
        os.environ["HOME"] = os.sep
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Names are bytes: those that are no text are printed as escapes.
            stream.reconfigure(errors="backslashreplace")


def _fail(message: str, status: int) -> int:
    typer.echo(f"error: {in_one_line(message)}", err=True)
    return status


def main() -> None:
    """Run `mtshare` and exit with its status."""
    sys.exit(run())
