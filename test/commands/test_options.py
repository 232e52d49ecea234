"""What the texts of options stand for."""

import pytest

from mtshare_ros.commands.options import parse_parameters, parse_size
from mtshare_ros.errors import OptionError


def test_node_parameters_are_typed_as_ros_types_them():
    texts = ["output_size=input", "max_age=8", "max_depth=5.5", "autostart=false"]
    assert parse_parameters(texts) == {
        "output_size": "input",
        "max_age": 8,
        "max_depth": 5.5,
        "autostart": False,
    }
    assert parse_parameters(["tasks=[depth, normals]"]) == {"tasks": ["depth", "normals"]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("max_age", "expected NAME=VALUE"),
        ("tasks=[depth", "not YAML"),
        ("tasks=2020-99-99", "not YAML"),
        ("tasks={a: b}", "expected a number, a text or a list"),
        ("tasks=2020-01-02", "expected a number, a text or a list"),
        ("tasks=~", "expected a number, a text or a list"),
    ],
)
def test_a_parameter_that_can_not_be_read_is_named(text, says):
    with pytest.raises(OptionError, match=says):
        parse_parameters([text])


def test_a_size_is_width_and_height():
    assert parse_size("320x240") == (320, 240) and parse_size("99999x1") == (99999, 1)


@pytest.mark.parametrize(
    "text", ["", "320", "320x", "x240", "0x240", "320by240", "-1x2", "1x2x3", "100000x9"]
)
def test_what_is_no_size_is_named(text):
    with pytest.raises(OptionError, match="expected WIDTHxHEIGHT"):
        parse_size(text)
