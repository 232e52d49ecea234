"""The table of parameters: checks, fixed and dynamic ones, documentation."""

import dataclasses
from pathlib import Path

import pytest
import yaml

import mtshare_ros
from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.ros import parameter_values, parameters
from mtshare_ros.ros.parameters import BY_NAME, TABLE, ParameterError

ROOT = Path(mtshare_ros.__file__).parents[1]
DEFAULTS = {p.name: p.default for p in TABLE}


def test_every_default_is_taken():
    for parameter in TABLE:
        assert parameter.check(parameter.default) == parameter.default
        assert parameter.description.endswith(".")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threads", 0),
        ("threads", 2.0),
        ("threads", True),
        ("threads", None),
        ("max_dirty_fraction", 1.01),
        ("max_dirty_fraction", float("nan")),
        ("max_depth", float("inf")),
        ("max_depth", "far"),
        ("policy", "sometimes"),
        ("policy", 3),
        ("autostart", 1),
        ("tasks", []),
        ("tasks", "depth"),
        ("tasks", [1, 2]),
    ],
)
def test_a_value_out_of_place_is_refused_by_name(name, value):
    with pytest.raises(ParameterError, match=rf"^{name} is .*; expected "):
        BY_NAME[name].check(value)


def test_an_error_says_what_is_expected():
    for name, value, says in (
        ("threads", "two", "threads is 'two'; expected an integer"),
        ("max_depth", "far", "max_depth is 'far'; expected a double"),
        ("max_age", 0, "max_age is 0; expected 1 to 100000"),
        ("policy", "all", "policy is 'all'; expected one of tokens, dense"),
        ("tasks", [], "tasks is []; expected one or more names"),
    ):
        with pytest.raises(ParameterError) as caught:
            BY_NAME[name].check(value)
        assert str(caught.value) == says


def test_a_name_that_is_none_is_refused_with_those_that_are():
    assert parameters.named("max_age") is BY_NAME["max_age"]
    with pytest.raises(ParameterError, match="^no parameter 'speed'; the node has bundle, "):
        parameters.named("speed")


def test_an_integer_is_taken_for_a_double():
    found = BY_NAME["max_depth"].check(10)
    assert found == 10.0 and isinstance(found, float)


def test_dynamic_parameters_change_and_the_others_stay():
    found = parameter_values.changed(
        DEFAULTS, {"max_age": 7, "use_sim_time": True}, configured=True
    )
    assert found == {**DEFAULTS, "max_age": 7}


@pytest.mark.parametrize(
    ("name", "value", "configured", "reason"),
    [
        ("bundle", "/elsewhere", True, "clean the node up first"),
        ("threads", 3, True, "clean the node up first"),
        ("diagnostics_period", 2.0, False, "restart the node"),
    ],
)
def test_a_fixed_parameter_is_refused_with_the_reason(name, value, configured, reason):
    with pytest.raises(ParameterError, match=rf"{name} can't be changed now: .*{reason}"):
        parameter_values.changed(DEFAULTS, {name: value}, configured)
    same = parameter_values.changed(DEFAULTS, {name: DEFAULTS[name]}, configured)
    assert same == DEFAULTS


def test_the_bundle_may_change_while_the_node_is_unconfigured():
    found = parameter_values.changed(DEFAULTS, {"bundle": "/elsewhere"}, configured=False)
    assert found["bundle"] == "/elsewhere"


def test_every_parameter_is_read_by_the_code():
    sources = "".join(
        path.read_text()
        for path in (ROOT / "mtshare_ros" / "ros").glob("*.py")
        if path.name != "parameters.py"
    )
    unread = [p.name for p in TABLE if f'values["{p.name}"]' not in sources]
    assert not unread


def markdown_table() -> str:
    """Return the table of docs/ros.md."""
    lines = [
        "| parameter | type | default | values | a change holds from | what |",
        "|---|---|---|---|---|---|",
    ]
    for p in parameters.TABLE:
        default = str(p.default).lower() if isinstance(p.default, bool) else str(p.default)
        default = f"`{default}`" if default else "empty"
        held = (
            p.holds_from
            if p.holds_from == parameters.NEXT_FRAME
            else f"fixed after {p.holds_from}"
        )
        lines.append(
            f"| `{p.name}` | {p.type_name} | {default} | {p.constraint} | {held} | "
            f"{p.description} |"
        )
    return "\n".join(lines) + "\n"


def test_the_documentation_has_the_table_as_it_is():
    assert markdown_table() in (ROOT / "docs" / "ros.md").read_text()


def test_the_shipped_parameter_file_holds_the_defaults():
    text = (ROOT / "config" / "perception.yaml").read_text()
    values = yaml.safe_load(text)["/**/perception_node"]["ros__parameters"]
    assert values == {name: DEFAULTS[name] for name in values}


@pytest.mark.parametrize("parameter", TABLE, ids=lambda p: p.name)
def test_descriptor_documentation_and_validation_say_the_same(parameter):
    descriptor = parameter.descriptor()
    assert (descriptor.name, descriptor.description) == (parameter.name, parameter.description)
    text = (ROOT / "docs" / "ros.md").read_text()
    (row,) = (line for line in text.splitlines() if line.startswith(f"| `{parameter.name}` |"))
    _, _, kind, _, values, held, what, _ = (cell.strip() for cell in row.split("|"))
    assert (kind, values, what) == (
        parameter.type_name, descriptor.additional_constraints, descriptor.description
    )  # fmt: skip
    assert held == (
        "next frame" if parameter.holds_from == "next frame"
        else f"fixed after {parameter.holds_from}"
    )  # fmt: skip
    assert descriptor.dynamic_typing, "rclpy itself would refuse an integer for a double"
    for limits in (*descriptor.integer_range, *descriptor.floating_point_range):
        low, high = limits.from_value, limits.to_value
        assert values == f"{low:g} to {high:g}"
        assert parameter.check(low) == low and parameter.check(high) == high
        for outside in (low - type(low)(1), high + type(high)(1)):
            with pytest.raises(ParameterError):
                parameter.check(outside)
    for choice in parameter.choices:
        assert choice in values and parameter.check(choice) == choice


SIXTEEN = [f"camera_{number}" for number in range(16)]


@pytest.mark.parametrize("names", [[""], ["front"], ["front", "rear_2"], ["a" * 64], SIXTEEN])
def test_cameras_are_named(names):
    assert BY_NAME["cameras"].check(tuple(names)) == names


@pytest.mark.parametrize(
    "names", [["", ""], ["a", "a"], ["2a"], ["a b"], ["~"], ["a" * 65], [*SIXTEEN, "another"]]
)
def test_names_that_make_no_topics_are_refused(names):
    with pytest.raises(ParameterError, match="^cameras is .*; expected up to 16 different names"):
        BY_NAME["cameras"].check(names)


@pytest.mark.parametrize("rates", [["all:1"], ["normals:9999"], ["normals:2", "all:3"]])
def test_rates_of_tasks_are_taken(rates):
    assert BY_NAME["task_every"].check(rates) == rates


@pytest.mark.parametrize(
    "rates",
    [["normals"], ["normals:0"], ["a:x"], ["a:10000"], ["a:2", "a:3"], [":2"], []],
)
def test_rates_that_are_none_are_refused(rates):
    with pytest.raises(ParameterError, match="^task_every is .*; expected"):
        BY_NAME["task_every"].check(rates)


def test_what_the_parameters_say_about_a_frame_reaches_its_settings(bundle_path):
    manifest = load_manifest(bundle_path)
    values = {
        **DEFAULTS,
        "max_dirty_fraction": 0.25,
        "deadline_ms": 12.5,
        "change_threshold": 3.0,
        "max_age": 7,
        "carry_frames": 2,
        "output_size": "input",
        "intrinsics": "k",
        "max_depth": 6.0,
        "policy": "dense",
        "depth_encoding": "16UC1",
        "max_failures": 3,
        "tasks": ["depth"],
        "task_every": ["all:2", "depth:5"],
    }
    found = parameter_values.frame_settings(manifest, values)
    for field in dataclasses.fields(found.stream):
        if field.name != "task_every":
            assert getattr(found.stream, field.name) == values[field.name]
    assert found.stream.task_every == {"normals": 2, "depth": 5, "segmentation": 2}
    assert (found.tasks, found.depth_encoding, found.max_failures) == ({"depth"}, "16UC1", 3)
    assert found.intrinsics == "k"
    everything = parameter_values.frame_settings(manifest, DEFAULTS)
    assert everything.tasks == {task.name for task in manifest.tasks}
    assert everything.stream == StreamSettings(task_every=dict.fromkeys(everything.tasks, 1))
