"""Settings files: strictly checked, and wrong ones named in one line."""

from pathlib import Path

import pytest

from mtshare_ros.settings import KindName, Strict, load_settings
from mtshare_ros.tasks import KINDS


class Example(Strict):
    """Settings of a test."""

    name: str
    steps: int = 5
    kind: KindName = "depth"


class ExampleError(Exception):
    """What the example's file is refused with."""


def load(path: Path, text: str, changes: dict[str, object] | None = None) -> Example:
    path.write_text(text)
    return load_settings(path, Example, ExampleError, changes)


def test_what_the_file_says_holds_and_changes_stand_in_for_it(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    assert load(path, "name: a\nsteps: 7") == Example(name="a", steps=7)
    assert load(path, "name: a", {"steps": 9}).steps == 9
    assert {load(path, f"name: a\nkind: {kind}").kind for kind in KINDS} == set(KINDS)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: [", "not YAML"),
        ("name: a\nstep: 7", "step: Extra inputs are not permitted"),
        ("steps: 7", "name: Field required"),
        ("name: a\nkind: smell", "kind: Value error, found 'smell', expected one of depth"),
        ("just text", "(top level)"),
    ],
)
def test_a_wrong_file_is_one_line_with_the_file_and_the_key(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(ExampleError) as caught:
        load(tmp_path / "x.yaml", text)
    assert says in str(caught.value) and "x.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExampleError, match=r"none\.yaml: can't be read"):
        load_settings(tmp_path / "none.yaml", Example, ExampleError)
