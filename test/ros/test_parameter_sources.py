"""To whom a parameter was given, and what becomes of one that the node doesn't have."""

import pytest

from mtshare_ros.ros.parameter_sources import check_unknown, given_to_all
from mtshare_ros.ros.parameters import ParameterError

NODE = "perception_node"


@pytest.mark.parametrize(
    ("arguments", "for_all"),
    [
        ([], set()),
        (["-p", "wheel_radius:=0.3"], {"wheel_radius"}),
        (["--param", "wheel.radius:=0.3"], {"wheel.radius"}),
        (["-p", "perception_node:wheel_radius:=0.3"], set()),
        (["-p", "/robot/perception_node:wheel_radius:=0.3"], set()),
        (["-p", "/**:wheel_radius:=0.3"], {"wheel_radius"}),
        (["-p", "other_node:wheel_radius:=0.3"], {"wheel_radius"}),
        (["-p", "my_perception_node:wheel_radius:=0.3"], {"wheel_radius"}),
        (["-p", "a:=1", "-p", "perception_node:a:=2", "-p", "b:=x:=y"], {"b"}),
    ],
)
def test_arguments_without_the_nodes_name_are_for_all(arguments, for_all):
    assert given_to_all(["node", "--ros-args", *arguments], NODE) == for_all


@pytest.mark.parametrize(
    ("section", "is_own"),
    [
        ("/**", False),
        ("/*", False),
        ('"**"', False),
        ("/robot/*", False),
        ("other_node", False),
        ("my_perception_node", False),
        ("perception_node", True),
        ("/perception_node", True),
        ("/**/perception_node", True),
        ("/robot/perception_node", True),
        ("robot:\n  perception_node", True),
    ],
)
def test_sections_of_a_file_that_end_in_the_nodes_name_are_its_own(tmp_path, section, is_own):
    *outer, last = section.split("\n")
    indent = "    " if outer else ""
    file = tmp_path / "parameters.yaml"
    file.write_text(
        "\n".join([*outer, f"{last}:", f"{indent}  ros__parameters:"])
        + f"\n{indent}    wheel_radius: 0.3\n{indent}    group: {{inner: 1}}\n"
    )
    arguments = ["node", "--ros-args", "--params-file", str(file)]
    expected = set() if is_own else {"wheel_radius", "group.inner"}
    assert given_to_all(arguments, NODE) == expected


@pytest.mark.parametrize(
    "content",
    ["", "[]", "a: 1", "/**: {ros__parameters: 3}", "**: 2", "a: 2020-99-99", "a: ["],
)
def test_files_without_parameters_give_none(tmp_path, content):
    file = tmp_path / "parameters.yaml"
    file.write_text(content)
    assert given_to_all(["--params-file", str(file)], NODE) == set()
    assert given_to_all(["--params-file", str(tmp_path / "none.yaml")], NODE) == set()


def test_what_is_given_to_all_is_passed_over_with_a_warning():
    warning = check_unknown("wheel_radius", NODE, {"wheel_radius"})
    assert warning == "parameter 'wheel_radius' is passed over: this node has none of that name"
    for name in ("threshold", "output_rate", "policy_file", "cameras_file"):
        assert "passed over" in check_unknown(name, NODE, {name}), "its likeness is below 0.8"


def test_what_is_given_to_this_node_by_name_is_an_error():
    with pytest.raises(ParameterError, match="'wheel_radius', which was given to perception_node"):
        check_unknown("wheel_radius", NODE, set())


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("max_dept", "max_depth"),
        ("max_dirty_fracton", "max_dirty_fraction"),
        ("task", "tasks"),
        ("qos_override./image.subscription.depth", "qos_overrides."),
    ],
)
def test_what_is_nearly_one_of_the_nodes_is_an_error_wherever_it_is_given(name, meant):
    for for_all in ({name}, set()):
        with pytest.raises(ParameterError, match=f"no parameter '{name}'; did you mean '{meant}'"):
            check_unknown(name, NODE, for_all)
