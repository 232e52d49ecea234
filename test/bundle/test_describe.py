"""The tables of ``mtshare inspect``."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

from mtshare_ros.bundle.describe import describe
from mtshare_ros.bundle.folder import load_manifest, save_manifest


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


def test_the_numbers_are_those_of_the_model(bundle_path: Path) -> None:
    manifest = load_manifest(bundle_path)
    tables = {title: rows for title, _, rows in describe(bundle_path)}
    about = {row[0]: row[1] for row in tables["small"]}
    assert about["input"] == "128x96 RGB, focal length 0.800 widths"
    assert about["tokens"] == "6 x 8 = 48, 16 pixels each"
    shares = {row[0]: row[1] for row in tables["Tasks"]}
    rho = manifest.private["depth"].rho
    assert shares["normals"] == "base" and shares["depth"] == f"{100 * rho:.1f} % private"
    assert [row[2] for row in tables["Tasks"]][2] == "class id, 16 classes"
    units = tables["Private units of each block"]
    assert [list(row) for row in units] == [
        [str(block), "1 heads, 32 neurons", "1 heads, 32 neurons"] for block in range(3)
    ]
    graphs = {row[0]: row for row in tables["Graphs"]}
    sizes = [(bundle_path / f"{name}.onnx").stat().st_size for name in manifest.graphs]
    assert graphs["all"][2] == f"{sum(sizes) / 1e6:.2f} MB"
    assert graphs["stem"][3] == "0" and graphs["base"][3] == "13"
    assert "Held-out metrics" not in tables


def test_metrics_are_told_by_their_path(bundle_path: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle_path, tmp_path / "scored")
    scores = {"validation": {"depth": {"abs_rel": 0.123456, "note": "text"}, "n": 3}}
    save_manifest(tmp_path / "scored", replace(load_manifest(bundle_path), metrics=scores))
    tables = {title: rows for title, _, rows in describe(tmp_path / "scored")}
    assert [tuple(row) for row in tables["Held-out metrics"]] == [
        ("validation depth abs_rel", "0.1235"),
        ("validation n", "3"),
    ]


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
