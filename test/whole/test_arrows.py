"""The online side runs on a robot that has no torch and none of the offline side."""

import subprocess
import sys
from pathlib import Path

import pytest

import mtshare_ros

ROOT = Path(mtshare_ros.__file__).parent
OFFLINE = ("network", "training", "datasets", "export", "evaluation")
ABSENT = (
    "torch",
    "tensorrt",
    "pycuda",
    "mujoco",
    "onnx",
    "onnxscript",
    "pydantic",
    "rosbags",
    "jinja2",
    "typer",
)
NEEDS = {
    "derived_graphs.py": {"onnx"},
    "gpu.py": {"pycuda"},
    "tensorrt_build.py": {"tensorrt"},
    "tensorrt_engine.py": {"tensorrt", "pycuda"},
    "tensorrt_opening.py": {"tensorrt", "pycuda"},
    "tensorrt_stage.py": {"pycuda"},
    "tensorrt_state.py": {"tensorrt", "pycuda"},
    "torch_engine.py": {"torch"},
    "torch_graphs.py": {"torch", "onnx"},
    "torch_bundle_engine.py": {"torch", "onnx"},
    "torch_opening.py": {"torch", "onnx"},
    "torch_state.py": {"torch"},
}
"""Files that are themselves the use of something absent on a robot."""

BLOCK = """
import importlib, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {absent} or name.startswith({offline}):
            raise ModuleNotFoundError(f"blocked: {{name}}", name=name)

sys.meta_path.insert(0, Blocker())
for module in {modules}:
    importlib.import_module(module)
"""


def online_modules():
    """Return every module of the online side but the engines that need more."""
    files = [ROOT / "tasks.py", ROOT / "bundle.py"]
    files += sorted(ROOT.glob("perception/**/*.py")) + sorted(ROOT.glob("ros/**/*.py"))
    names = [
        ".".join(("mtshare_ros", *file.relative_to(ROOT).with_suffix("").parts))
        for file in files
        if file.name not in NEEDS
    ]
    return [name.removesuffix(".__init__") for name in names]


def import_blocked(modules):
    code = BLOCK.format(
        absent=set(ABSENT),
        offline=tuple(f"mtshare_ros.{part}" for part in OFFLINE),
        modules=modules,
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_every_online_module_imports_where_the_offline_side_is_absent():
    modules = online_modules()
    assert len(modules) > 15
    result = import_blocked(modules)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("module", ["torch", "mtshare_ros.metrics"])
def test_the_blocker_blocks(module):
    result = import_blocked([module])
    assert result.returncode != 0
    assert f"blocked: {module.rpartition('.')[0] or module}" in result.stderr


def test_the_doctor_runs_where_everything_is_absent():
    code = BLOCK.format(
        absent={*ABSENT, "numpy", "cv2", "onnxruntime", "rclpy", "matplotlib"},
        offline=("nothing",),
        modules=[],
    )
    code += (
        "from mtshare_ros.machine.doctor import examine\n"
        "print([f.what.split()[0] for f in examine(train=True) if f.fatal])\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    for name in ("numpy", "cv2", "onnxruntime", "rclpy", "torch", "mujoco"):
        assert f"'{name}'" in result.stdout
