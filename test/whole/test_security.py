"""Files and messages that claim too much, and what the node is allowed to do."""

import io
import json
import re
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import mtshare_ros
from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.manifest import BundleError
from mtshare_ros.perception.camera.encodings import ImageError
from mtshare_ros.perception.engines.bounded_arrays import load_arrays
from mtshare_ros.perception.engines.selftest import load_selftest
from mtshare_ros.ros.images import decode
from support.malformed import IMAGES
from support.ros_harness import perception_node, ros, wait_for

ROOT = Path(mtshare_ros.__file__).parents[1]
POLICY = ROOT / "config" / "sros2_policy.xml"
MOST = 1 << 20


def archive(path, **members):
    """Write a compressed .npz out of raw members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)
    return path


def header(shape, descr="<f4"):
    """Return the header of an array, without its data."""
    file = io.BytesIO()
    fields = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, fields)
    return file.getvalue()


def allocated(function, error):
    """Return the peak of memory in bytes while a function raises an error."""
    tracemalloc.start()
    try:
        with pytest.raises(error) as caught:
            function()
        return tracemalloc.get_traced_memory()[1], str(caught.value)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"a": header((1 << 40,))}, "arrays of 4398046511104 bytes; expected at most 1048576"),
        ({"a": header((1 << 20,)), "b": header((1 << 20,))}, "arrays of 8388608 bytes"),
        ({"a": header((4,)) + bytes(64 << 20)}, "arrays of 671"),
        ({"a": header((-1,))}, r"shape \(-1,\)"),
        ({"a": header((2,), "|O")}, "expected numbers"),
        ({"a": b"nothing of numpy"}, "magic"),
    ],
)
def test_arrays_that_claim_too_much_are_refused_before_memory_is_taken(tmp_path, members, says):
    path = archive(tmp_path / "a.npz", **members)
    peak, message = allocated(lambda: load_arrays(path, MOST), ValueError)
    assert re.search(says, message) and peak < 4 * MOST


def test_arrays_within_the_bound_are_read(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", a=np.arange(5), b=np.ones((2, 3), np.float32))
    found = load_arrays(tmp_path / "a.npz", MOST)
    assert found["a"].tolist() == [0, 1, 2, 3, 4] and found["b"].shape == (2, 3)


def test_a_file_that_is_no_archive_is_refused(tmp_path, bundle_path):
    (tmp_path / "selftest.npz").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(BundleError, match="selftest.npz: not a self-test: malformed"):
        load_selftest(tmp_path, load_manifest(bundle_path))


def test_pickled_code_in_a_selftest_is_never_run(tmp_path, bundle_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    np.savez(tmp_path / "selftest.npz", image_0=np.array([Trap()], object))
    with pytest.raises(BundleError, match="expected numbers"):
        load_selftest(tmp_path, load_manifest(bundle_path))
    assert not (tmp_path / "sprung").exists()


def test_a_manifest_whose_tensors_are_too_large_together_is_refused(tmp_path, bundle_path):
    values = json.loads((bundle_path / "manifest.json").read_text())
    # Each may be that large by itself.
    for graph in ("base", "depth"):
        (output,) = (t for t in values["graphs"][graph]["outputs"][:1])
        output["shape"] = [1 << 13, 1 << 15]
    (tmp_path / "manifest.json").write_text(json.dumps(values))
    with pytest.raises(BundleError, match="elements together; expected at most 268435456"):
        load_manifest(tmp_path, verify=False)


@pytest.mark.parametrize(
    "name", [n for n in IMAGES if n.startswith(("claims", "size", "endless"))]
)
def test_a_message_that_claims_too_much_is_refused_before_memory_is_taken(name):
    peak, _ = allocated(lambda: decode(IMAGES[name]), ImageError)
    assert peak < 1 << 16


def test_a_compressed_image_of_gigabytes_is_refused_within_little_memory():
    """A PNG of 60000x60000 black pixels, 10 GB of them, is a file of 10 MB; its header will do."""
    code = """
import struct, zlib, resource
from array import array
resource.setrlimit(resource.RLIMIT_AS, (limit := 3 << 30, limit))
from sensor_msgs.msg import CompressedImage
from mtshare_ros.perception.camera.encodings import ImageError
from mtshare_ros.ros.images import decode
def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
head = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
png = b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", head)
png += chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
try:
    decode(CompressedImage(format="png", data=array("B", png)))
except ImageError as error:
    print(error.kind, error)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith("size size 60000x60000; expected sides of 16 to 16384")


def granted(kind, action):
    """Return the names in the policy, resolved as for the node in the root namespace."""
    profile = ElementTree.parse(POLICY).getroot().find("enclaves/enclave/profiles/profile")
    found = set()
    for block in profile.findall(f"{kind}s"):
        if block.get(action) == "ALLOW":
            found |= {e.text for e in block.findall(kind)}
    return {n.replace("~", "/perception_node") if n[0] == "~" else f"/{n}" for n in found}


def test_the_policy_grants_exactly_what_the_node_uses(bundle_path):
    with ros() as context, perception_node(context, bundle=str(bundle_path)) as node:
        wait_for(lambda: node._cameras, "bundle open")
        by_node = ("perception_node", "/")
        published = {n for n, _ in node.get_publisher_names_and_types_by_node(*by_node)}
        heard = {n for n, _ in node.get_subscriber_names_and_types_by_node(*by_node)}
        offered = {n for n, _ in node.get_service_names_and_types_by_node(*by_node)}
        asked = {n for n, _ in node.get_client_names_and_types_by_node(*by_node)}
    # Of tasks that this bundle lacks, of a ROS with vision_msgs, of use_sim_time and compression.
    elsewhere = {n for n in granted("topic", "publish") if "/boundary/" in n or "/saliency/" in n}
    elsewhere |= {"/perception_node/segmentation/label_info"}
    assert granted("topic", "publish") - elsewhere == published
    assert heard <= granted("topic", "subscribe") <= heard | {
        "/clock", "/image/compressed", "/parameter_events"
    }  # fmt: skip
    assert granted("service", "reply") == offered | {"/perception_node/get_type_description"}
    assert not asked
