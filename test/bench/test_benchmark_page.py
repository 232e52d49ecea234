"""The page says what the benchmarks' files say."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from mtshare_ros import cli
from mtshare_ros.bench.benchmark_page import BEGIN, END, plot_path, section, update_page
from mtshare_ros.bench.result import write_result
from mtshare_ros.errors import OptionError

DOCS = Path(__file__).parents[2] / "docs"


def test_the_command_replaces_what_stands_between_the_markers(result: Any, tmp_path: Path) -> None:
    file, page = tmp_path / "data" / "r.json", tmp_path / "page.md"
    write_result(file, result)
    page.write_text(f"before\n{BEGIN}\nold figures\n{END}\nafter\n")
    arguments = ["bench-report", str(file), "--output", str(page)]
    assert cli.run(arguments) == 0
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n") and text.endswith(f"{END}\nafter\n")
    assert "old figures" not in text and "    mtshare bench --tasks 1 --tasks 2" in text
    assert "### Width 384, depth 12, 320x240" in text and "a processor" in text
    for kind in ("fractions", "tasks"):
        assert f"](data/r_{kind}.png)" in text
        assert (tmp_path / "data" / f"r_{kind}.png").is_file()
    assert cli.run(arguments) == 0 and page.read_text() == text
    page.unlink()
    assert cli.run(arguments) == 0 and page.read_text().startswith(f"# Benchmarks\n\n{BEGIN}")


def test_a_page_without_markers_is_left_alone(result: Any, tmp_path: Path) -> None:
    file, page = tmp_path / "r.json", tmp_path / "page.md"
    write_result(file, result)
    for text in ("no markers", f"{END}\n{BEGIN}\n", f"{BEGIN}\n{BEGIN}\n{END}\n"):
        page.write_text(text)
        with pytest.raises(OptionError, match=r"page\.md: expected the lines"):
            update_page(page, [file])
        assert page.read_text() == text


def test_the_published_page_is_what_its_files_say(tmp_path: Path) -> None:
    folder = shutil.copytree(DOCS / "benchmarks", tmp_path / "benchmarks")
    page = Path(shutil.copy(DOCS / "benchmarks.md", tmp_path))
    update_page(page, sorted(folder.glob("*.json")))
    assert page.read_text() == (DOCS / "benchmarks.md").read_text()


def test_a_page_of_other_letters_is_named(result: Any, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_bytes(b"\xff\xfe" + BEGIN.encode() + END.encode())
    with pytest.raises(OptionError, match=r"page\.md: not UTF-8 .*; expected a Markdown page"):
        update_page(page, [])


def test_a_section_has_its_command_and_what_its_networks_share(
    result: Any, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / "r.json"
    plot_path(file, "tasks").write_bytes(b"")
    text = section(result, file, tmp_path)
    assert text.startswith("### Width 384") and "](data/r_tasks.png)" in text
    assert "Private share of a sub-task: 0.167." in text and "fractions" not in text
    assert "Stem and one head take 6.0 % of the time" in text
    second = {**result["settings"][0], "rho": {"depth": 0.5}}
    rows = [{**row, "setting": 1} for row in result["cases"]]
    two = {**result, "settings": [*result["settings"], second], "cases": result["cases"] + rows}
    text = section(two, file, tmp_path)
    # The command belongs to all of them.
    assert text.startswith("    mtshare bench") and text.count("### Width 384") == 2
    assert "Private share of a sub-task: 0.167 to 0.500." in text
