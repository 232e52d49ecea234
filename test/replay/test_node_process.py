"""The process of the live node."""

import pytest

from mtshare_ros.errors import exit_status
from mtshare_ros.replay.node_process import (
    NodeProcess,
    ReplayFailedError,
    parameter_arguments,
)
from mtshare_ros.ros.parameters import ParameterError


def test_a_node_that_ends_by_itself_is_a_failed_job():
    with NodeProcess({}, domain_id=1) as node:
        node._process.kill()
        node._process.wait()
        with pytest.raises(ReplayFailedError, match="the node ended with status -9") as caught:
            node.check()
    assert exit_status(caught.value) == 1


def test_parameters_are_arguments_that_ros_reads_with_their_types():
    given = {"tasks": "depth, segmentation", "max_depth": 10, "output_size": "input"}
    assert parameter_arguments(given) == [
        "-p", 'tasks:=["depth", "segmentation"]', "-p", "max_depth:=10.0",
        "-p", 'output_size:="input"',
    ]  # fmt: skip
    with pytest.raises(ParameterError, match="no parameter 'speed'"):
        parameter_arguments({"speed": 1})


def test_the_last_words_of_a_node_are_the_last_line_that_it_wrote():
    with NodeProcess({}, domain_id=1) as node:
        node._process.kill()
        node._process.wait()
        node._log.write(b"first\nlast\n")
        assert node.last_words() == "last"
