"""Reads the names of TensorRT's real Python bindings, without TensorRT's libraries.

The bindings' wheel (``tensorrt-cu12-bindings`` or ``tensorrt-cu13-bindings``, about 1 MB) holds an
extension module that is linked with the libraries of JetPack. An empty library with the few
functions that it looks up when it is loaded lets it be imported; nothing of it can run.

    python test/standins/real_names.py ARCHIVE... > test/standins/real_names.json

renews the list that the tests hold the project to: one entry per version, for every class that
``fake_tensorrt`` stands in for. ARCHIVE is a wheel of the bindings or pycuda's source archive, as
``pip download --no-deps NAME==VERSION`` brings them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

FUNCTIONS = (
    "createInferBuilder_INTERNAL createInferRefitter_INTERNAL createInferRuntime_INTERNAL "
    "createNvOnnxParserRefitter_INTERNAL createNvOnnxParser_INTERNAL getBuilderPluginRegistry "
    "getInferLibVersion getLogger getNvOnnxParserVersion getPluginRegistry initLibNvInferPlugins"
).split()
LIBRARIES = ("libnvinfer.so", "libnvinfer_plugin.so", "libnvonnxparser.so")
CLASSES = (
    "Builder BuilderFlag DataType ExecutionContextAllocationStrategy IBuilderConfig ICudaEngine "
    "IExecutionContext IHostMemory ILogger ILogger.Severity INetworkDefinition "
    "IOptimizationProfile IProgressMonitor ITensor MemoryPoolType NetworkDefinitionCreationFlag "
    "OnnxParser ParserError Runtime TensorIOMode"
).split()
READ = "import tensorrt_bindings as t; from real_names import read; read(t)"


def compiler() -> str | None:
    """Return a C compiler, or None."""
    return shutil.which("cc") or shutil.which("gcc")


def names_of(folder: Path) -> dict:
    """Return the names of the bindings in ``folder`` (which has ``tensorrt_bindings``)."""
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "empty.c"
        source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in FUNCTIONS))
        library = Path(scratch) / "empty.so"
        subprocess.run([compiler(), "-shared", "-fPIC", "-o", library, source], check=True)
        for name in LIBRARIES:
            for major in ("10", "11"):
                os.symlink(library, Path(scratch) / f"{name}.{major}")
        path = os.pathsep.join([str(folder), str(Path(__file__).parent)])
        done = subprocess.run(
            [sys.executable, "-c", READ],
            env={**os.environ, "LD_LIBRARY_PATH": scratch, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)


def read(bindings) -> None:
    """Print the names of imported bindings as JSON."""
    classes = {}
    for name in CLASSES:
        owner = bindings
        for part in name.split("."):
            owner = getattr(owner, part, None)
        if owner is not None:
            classes[name] = {a: _overloads(a, getattr(owner, a)) for a in _public(owner)}
    functions = {"nptype": [["trt_type"]]} if hasattr(bindings, "nptype") else {}
    version = bindings.__version__
    print(json.dumps({"version": version, "classes": classes, "functions": functions}))


def _public(owner) -> list[str]:
    return sorted(a for a in dir(owner) if not a.startswith("_") or a == "__init__")


def _overloads(name: str, attribute) -> list[list[str]] | None:
    """Return the parameters of each overload as pybind11 documents them; None if no function."""
    found = re.findall(rf"\b{re.escape(name)}\(self: ([^)]*)\) -> ", attribute.__doc__ or "")
    return [re.findall(r", (\w+):", parameters) for parameters in found] or None


def pycuda_names(archive: Path) -> list[str]:
    """Return every name that pycuda's sources (an sdist) give to Python, of any class."""
    with tarfile.open(archive) as files:
        sources = [
            member
            for member in files.getmembers()
            if re.search(r"/(src/wrapper/wrap_cudadrv\.cpp|pycuda/driver\.py)$", member.name)
        ]
        text = "".join(files.extractfile(source).read().decode() for source in sources)
    patterns = (
        r'\b(?:def|add_property|def_readonly|staticmethod)\("(\w+)"',
        r"DEF_SIMPLE_(?:METHOD|FUNCTION)(?:_WITH_ARGS)?\((\w+)",
        r'class_<[^;]*?>\s*\(\s*"(\w+)"',
        r"\b(?:Function|Device)\.(\w+) = ",
        r"DECLARE_EXC\((\w+),",
        r'PyErr_NewException\([^"]*"pycuda\._driver\.(\w+)"',
    )
    return sorted({name for pattern in patterns for name in re.findall(pattern, text)})


def main(archives: list[str]) -> None:
    """Print the names in some archives, one class a line."""
    lines = []
    for archive in map(Path, archives):
        if archive.name.startswith("pycuda"):
            entry = {"origin": archive.name, "names": pycuda_names(archive)}
            lines.append(json.dumps(entry))
            continue
        with tempfile.TemporaryDirectory() as folder:
            zipfile.ZipFile(archive).extractall(folder)
            entry = {"origin": archive.name.split("-cp")[0], **names_of(Path(folder))}
        lines.append(json.dumps(entry).replace('}, "', '},\n  "'))
    print("[\n" + ",\n".join(lines) + "\n]")


if __name__ == "__main__":
    main(sys.argv[1:])
