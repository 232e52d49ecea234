"""Settings files: strictly checked, and wrong ones named in one line."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from mtshare_ros import settings
from mtshare_ros.settings import KindName, Strict, YamlError, load_settings, parse_yaml
from mtshare_ros.tasks import KINDS


class Example(Strict):
    """Settings of a test."""

    name: str
    steps: int = 5
    kind: KindName = "depth"
    rate: float = 1.0


class ExampleError(Exception):
    """What the example's file is refused with."""


def load(path: Path, text: str, changes: dict[str, object] | None = None) -> Example:
    path.write_text(text)
    return load_settings(path, Example, ExampleError, changes)


def test_what_the_file_says_holds_and_changes_stand_in_for_it(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    assert load(path, "name: a\nsteps: 7") == Example(name="a", steps=7)
    assert load(path, "name: a\nsteps: 7", {"steps": 9}) == Example(name="a", steps=9)
    with pytest.raises(ExampleError, match="(top level)"):
        load(path, "just text", {"steps": 9})
    assert {load(path, f"name: a\nkind: {kind}").kind for kind in KINDS} == set(KINDS)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: [", "not YAML"),
        ("name: a\nstep: 7", "step: Extra inputs are not permitted"),
        ("steps: 7", "name: Field required"),
        ("name: a\nkind: smell", "kind: Value error, found 'smell', expected one of depth"),
        ("just text", "(top level)"),
        ("name: a\nrate: .nan", "rate: Input should be a finite number"),
        ("name: a\n1: 2", "1: Keys should be strings"),
        ("name: 2020-01-02", "name: Input should be a valid string"),
        ("name: 2020-99-99", "not YAML: month must be"),
        ("name:\n\t- a", "not YAML"),
        ("? [name]\n: a", "not YAML"),
        ("!!python/object/apply:os.system [x]", "not YAML"),
        ("- " * 700, "not YAML"),
        ("", "(top level)"),
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


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    for data in ("name: caf\u00e9".encode("latin-1"), bytes(range(256)), b"name: \xff"):
        path.write_bytes(data)
        with pytest.raises(ExampleError, match="x.yaml: not YAML"):
            load_settings(path, Example, ExampleError)
    for data in ("name: caf\u00e9".encode("utf-16"), "\ufeffname: caf\u00e9".encode()):
        path.write_bytes(data)
        assert load_settings(path, Example, ExampleError).name == "caf\u00e9"


@pytest.mark.parametrize("last", ["[{}]", "{{<<: [{}]}}"])
def test_aliases_of_aliases_are_refused_before_they_take_memory(last: str) -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} " + last.format(", ".join([f"*a{n - 1}"] * 9)) for n in range(1, 12)]
    with pytest.raises(YamlError, match="more than 100000 values"):
        parse_yaml("\n".join(lines))
    with pytest.raises(YamlError, match="more than"):
        parse_yaml("&a [*a]")
    assert parse_yaml("a: &a [1, 2]\nb: *a") == {"a": [1, 2], "b": [1, 2]}


def test_settings_are_fixed_once_they_are_read() -> None:
    example = Example(name="a")
    with pytest.raises(ValidationError, match="frozen"):
        example.steps = 7  # type: ignore[misc]


@pytest.mark.parametrize(
    ("most", "more"), [("[1, 2, 3, 4]", "[1, 2, 3, 4, 5]"), ("{a: 1, b: 2}", "{a: 1, b: 2, c: 3}")]
)
def test_lists_values_and_keys_are_counted(
    monkeypatch: pytest.MonkeyPatch, most: str, more: str
) -> None:
    monkeypatch.setattr(settings, "MOST_NODES", 5)
    assert parse_yaml(most)
    with pytest.raises(YamlError, match="more than 5 values"):
        parse_yaml(more)
