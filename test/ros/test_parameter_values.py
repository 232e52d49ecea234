"""The values of the parameters: as a node declares them, and what they say about a bundle."""

from pathlib import Path

import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.ros.parameter_values import changed, declare, frame_settings
from mtshare_ros.ros.parameters import TABLE, ParameterError

DEFAULTS = {parameter.name: parameter.default for parameter in TABLE}


@pytest.fixture
def node_with(context):
    """A function that returns a node with some overrides of parameters."""
    made = []

    def make(**overrides):
        given = [Parameter(name, value=value) for name, value in overrides.items()]
        made.append(Node("perception_node", context=context, parameter_overrides=given))
        return made[-1]

    yield make
    for node in made:
        node.destroy_node()


def test_a_node_declares_every_parameter_with_its_descriptor(node_with):
    node = node_with(max_depth=10, threads=3, use_sim_time=False)
    values = declare(node, [])
    assert values == {**DEFAULTS, "max_depth": 10.0, "threads": 3}
    assert isinstance(values["max_depth"], float)
    for parameter in TABLE:
        found, expected = node.describe_parameter(parameter.name), parameter.descriptor()
        assert found.description == expected.description
        assert found.integer_range == expected.integer_range
        assert found.floating_point_range == expected.floating_point_range
        assert found.additional_constraints == expected.additional_constraints


def test_one_that_is_given_to_all_nodes_is_passed_over_with_a_warning(node_with, capfd):
    values = declare(node_with(wheel_radius=0.3), ["-p", "wheel_radius:=0.3"])
    assert values == DEFAULTS
    assert "parameter 'wheel_radius' is passed over" in capfd.readouterr().err
    with pytest.raises(ParameterError, match="'wheel_radius', which was given to perception_node"):
        declare(node_with(wheel_radius=0.3), ["-p", "perception_node:wheel_radius:=0.3"])


def test_a_fixed_parameter_may_be_set_to_an_equal_value():
    same = {"tasks": ["all"], "bundle": "", "cameras": [""], "engine_timeout": 10}
    assert changed(DEFAULTS, {**same, "diagnostics_period": 1}, configured=True) == DEFAULTS
    with pytest.raises(ParameterError, match="cameras can't be changed now"):
        changed(DEFAULTS, {"cameras": ["front"]}, configured=True)


def test_tasks_are_those_of_the_bundle():
    manifest = load_manifest(Path(__file__).parents[2] / "models" / "room")

    def settings(**values):
        return frame_settings(manifest, {**DEFAULTS, **values})

    everything = {task.name for task in manifest.tasks}
    assert {"normals", "depth", "segmentation"} <= everything
    assert settings(tasks=["all", "depth"]).tasks == everything
    assert settings(tasks=["depth", "normals"]).tasks == {"depth", "normals"}
    rates = settings(task_every=["depth:5"]).stream.task_every
    assert rates == {**dict.fromkeys(everything, 1), "depth": 5}
    for name, values in (("tasks", ["colour", "depth"]), ("task_every", ["colour:2"])):
        with pytest.raises(ParameterError) as caught:
            settings(**{name: values})
        assert str(caught.value) == (
            f"{name} has colour; bundle room has {', '.join(t.name for t in manifest.tasks)}"
        )
