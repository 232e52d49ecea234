"""The tables of ``mtshare inspect``."""

import json
import shutil
from pathlib import Path

from mtshare_ros.bundle.describe import describe
from mtshare_ros.bundle.folder import load_manifest


def test_tasks_graphs_shares_and_memory_are_those_of_the_manifest(bundle_path: Path) -> None:
    manifest = load_manifest(bundle_path)
    tables = {title: rows for title, _, rows in describe(bundle_path)}
    text = {title: "\n".join(" ".join(row) for row in rows) for title, rows in tables.items()}
    tasks = next(rows for title, rows in tables.items() if "asks" in title)
    assert [row[0] for row in tasks] == [task.name for task in manifest.tasks]
    graphs = tables["Graphs"]
    assert [row[0] for row in graphs] == [*manifest.graphs, "all"]
    assert [row[1] for row in graphs[:-1]] == [g.file for g in manifest.graphs.values()]
    assert "fp16" in text["Memory"] and "fp32" in text["Memory"]


def test_what_a_manifest_does_not_say_is_left_out(bundle_path: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bundle_path, tmp_path / "copy"))
    values = json.loads((folder / "manifest.json").read_text())
    first, second = values["private"]
    del values["private"][first]
    values["private"][second]["layers"].pop()
    values["metrics"] = {"validation": {"depth": {"abs_rel": 10**4000}}}
    (folder / "manifest.json").write_text(json.dumps(values))
    tables = {title: rows for title, _, rows in describe(folder)}
    assert "Held-out metrics" not in tables
    assert all(first not in row[0] or row[1] == "" for row in tables["Tasks"])
