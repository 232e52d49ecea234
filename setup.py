"""ament_python package: what a colcon workspace and pip install."""

from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = "mtshare_ros"
SHARE = f"share/{PACKAGE}"


def files(pattern: str) -> list[str]:
    """Return the files of this folder that match a glob pattern, in a fixed order."""
    return sorted(str(path) for path in Path().glob(pattern) if path.is_file())


DATA_FILES = [
    ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
    (SHARE, ["package.xml"]),
    (f"{SHARE}/launch", files("launch/*.launch.py")),
    (
        f"{SHARE}/config",
        files("config/*.yaml")
        + files("config/*.rviz")
        + files("config/*.xml")
        + files("config/*.json"),
    ),
    (f"{SHARE}/config/training", files("config/training/*.yaml")),
    (f"{SHARE}/config/results", files("config/results/*.yaml")),
    *(
        (f"{SHARE}/{bundle}", files(f"{bundle}/*"))
        for bundle in sorted(map(str, Path().glob("models/*")))
    ),
]

FILES_IN_PACKAGE = [
    "py.typed",
    "evaluation/report/page_files/*",
    "perception/engines/tensorrt/exchange_rows.*",
]

# A ROS installation brings these as Debian packages (see package.xml), whose names pip doesn't
# know: so the package itself requires nothing, and pip users choose what they need.
EXTRAS = {
    "online": ["numpy", "opencv-python-headless", "onnxruntime", "simplejpeg"],
    "ros": [
        "ros-rclpy[fastrtps]",
        "ros-sensor-msgs",
        "ros-diagnostic-msgs",
        "ros-std-srvs",
        "ros-std-msgs",
    ],
    "report": [
        "typer>=0.29",
        "rich",
        "rosbags",
        "mcap",
        "zstandard",
        "jinja2",
        "matplotlib",
        "scipy",
        "pydantic",
        "pyyaml",
        "pillow",
    ],
    "offline": [
        "torch",
        "lightning-fabric",
        "scipy",
        "onnx",
        "onnxscript",
        "mujoco",
        "safetensors",
        "tensorboard",
        "pydantic",
        "pyyaml",
        "pillow",
    ],
    "backbones": ["timm"],
    "cluster": ["ray"],
    "test": [
        "timm",
        "cyclonedds",
        "pytest",
        "pytest-xdist",
        "hypothesis",
        "mcap-ros2-support",
        "mypy",
        "playwright",
        "rosbags-image",
        "ruff",
        "scikit-learn",
        "tensorrt-cu13-bindings",
        "types-PyYAML",
    ],
}

setup(
    name=PACKAGE,
    version="0.1.0",
    description="Several dense vision tasks from one network pass, at camera rate, for ROS 2",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=[PACKAGE, f"{PACKAGE}.*"]),
    package_data={PACKAGE: FILES_IN_PACKAGE},
    data_files=[entry for entry in DATA_FILES if entry[1]],
    install_requires=["setuptools"],
    extras_require=EXTRAS,
    zip_safe=True,
    entry_points={
        "console_scripts": [
            "mtshare = mtshare_ros.cli:main",
            "perception_node = mtshare_ros.ros.main:main",
        ]
    },
)
