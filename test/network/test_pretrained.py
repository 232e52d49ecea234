"""Pretrained backbones against timm's own forward, with random weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from mtshare_ros.bundle.manifest import InputSpec
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.pretrained import Backbone, backbone_config, load_backbone, map_backbone
from mtshare_ros.network.single_task import SharedEncoder, SingleTaskNetwork
from mtshare_ros.network.timm_vit import BackboneError
from mtshare_ros.perception.frame import IMAGE_MEAN, IMAGE_SCALE, normalise
from mtshare_ros.training import data_sets
from mtshare_ros.training.stored import load_network
from mtshare_ros.training.train import train
from support.fake_stills import PHASE, FakeStills, write_config
from support.fake_stills import config as fake_config
from support.timm_models import SIZE, build_model, import_timm

timm = import_timm()

BOUND = 1e-4
DINOV2 = "vit_small_patch14_reg4_dinov2"


def _image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)


@torch.no_grad()
def _expected(model: Any) -> Tensor:
    """Return timm's normalised features (P + N, d) of the image, normalised timm's way."""
    settings = timm.data.resolve_model_data_config(model)
    image = torch.from_numpy(_image()).permute(2, 0, 1)[None] / 255.0
    mean, std = (torch.tensor(settings[key])[:, None, None] for key in ("mean", "std"))
    return model.fc_norm(model.forward_features((image - mean) / std))[0]


@torch.no_grad()
def _found(backbone: Backbone, config: NetworkConfig) -> Tensor:
    """Return what a network that starts with the backbone hands to its head's first layer."""
    spec = InputSpec(*SIZE, IMAGE_MEAN, IMAGE_SCALE, 16, 4, 0.8, config.prefix)
    network = SingleTaskNetwork(config, 3).eval()
    backbone.start(network)
    tokens, fine = network.stem(torch.from_numpy(normalise(_image(), spec)))
    features, _ = network.transformer(tokens)
    assert network.head(features, fine).shape == (1, 3, SIZE[1] // 4, SIZE[0] // 4)
    return network.head.norm(features)[0]


def _difference(found: Tensor, expected: Tensor) -> float:
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize(
    ("name", "settings", "prefix"),
    [
        ("vit_tiny_patch16_224", {}, 1),
        ("vit_tiny_patch16_224", {"class_token": False, "global_pool": "avg"}, 0),
        ("vit_tiny_patch16_224", {"qkv_bias": False}, 1),
        ("vit_small_patch14_dinov2", {}, 1),
        (DINOV2, {}, 5),
        ("deit_tiny_distilled_patch16_224", {}, 2),
        ("deit3_small_patch16_224", {}, 1),
    ],
)
def test_features_equal_those_of_timm(name: str, settings: dict[str, Any], prefix: int) -> None:
    model = build_model(name, depth=2, **settings)
    config = replace(backbone_config(name, SIZE), depth=2, prefix=prefix)
    expected = _expected(model)
    assert len(expected) == prefix + config.tokens
    assert _difference(_found(map_backbone(model, config), config), expected) < BOUND


def _loaded_by_timm(name: str, path: Path) -> Any:
    """Load a checkpoint the way timm's users do."""
    overlay = {"file": str(path), "custom_load": False}
    return timm.create_model(
        name,
        pretrained=True,
        pretrained_cfg_overlay=overlay,
        num_classes=0,
        img_size=SIZE[::-1],
        patch_size=16,
        weight_init="skip",
    ).eval()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_local_checkpoint_is_loaded_and_its_classifier_left_out(
    tmp_path: Path, suffix: str
) -> None:
    name = "vit_tiny_patch16_224"
    state = build_model(name, img_size=224, num_classes=10).state_dict()
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": state, "epoch": 3}, path)
    else:
        save_file(state, path)
    config = backbone_config(name, SIZE)
    assert (config.width, config.depth, config.heads, config.hidden) == (192, 12, 3, 768)
    found = _found(load_backbone(path, name, config), config)
    assert _difference(found, _expected(_loaded_by_timm(name, path))) < BOUND


def test_an_original_dinov2_checkpoint_at_patch_14_is_converted(tmp_path: Path) -> None:
    state = build_model(DINOV2, img_size=518, patch_size=14).state_dict()
    width = state["cls_token"].shape[-1]
    registers = state.pop("reg_token")
    class_position = torch.randn(1, 1, width)
    state["register_tokens"], state["mask_token"] = registers, torch.zeros(1, width)
    state["pos_embed"] = torch.cat([class_position, state["pos_embed"]], dim=1)
    path = tmp_path / "dinov2_vits14_reg4_pretrain.pth"
    torch.save(state, path)
    config = backbone_config(DINOV2, SIZE)
    assert (config.width, config.heads, config.prefix, config.stem) == (384, 6, 5, "patch")
    backbone = load_backbone(path, DINOV2, config)
    assert backbone.stem.prefix is not None
    prefix = torch.cat([state["cls_token"] + class_position, registers], dim=1)
    assert torch.allclose(backbone.stem.prefix, prefix, atol=1e-6)
    found = _found(backbone, config)
    assert _difference(found, _expected(_loaded_by_timm(DINOV2, path))) < BOUND


def test_a_start_leaves_fine_branch_and_heads_but_their_norm() -> None:
    model = build_model("vit_tiny_patch16_224", depth=1)
    config = replace(backbone_config("vit_tiny_patch16_224", SIZE), depth=1)
    network = SharedEncoder(config, {"normals": 3, "depth": 1})
    before = {name: value.clone() for name, value in network.state_dict().items()}
    map_backbone(model, config).start(network)
    kept = {
        name for name, value in network.state_dict().items() if torch.equal(value, before[name])
    }
    assert kept == {
        name
        for name in before
        if name.startswith("stem.to_fine.")
        or (name.startswith("heads.") and not name.split(".")[2] == "norm")
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [("width", 384), ("depth", 6), ("heads", 6), ("hidden", 96), ("prefix", 0), ("stem", "conv")],
)
def test_a_network_of_other_sizes_is_refused(tmp_path: Path, key: str, value: int) -> None:
    config = replace(backbone_config("vit_tiny_patch16_224", SIZE), **{key: value})
    with pytest.raises(BackboneError, match=f"network {key} {value!r}, but vit_tiny"):
        load_backbone(tmp_path / "none.pth", "vit_tiny_patch16_224", config)


def test_a_model_of_another_image_or_depth_is_refused() -> None:
    name = "vit_tiny_patch16_224"
    config = replace(backbone_config(name, SIZE), depth=1)
    wide = build_model(name, depth=1, img_size=(48, 80))
    with pytest.raises(BackboneError, match=r"token grid \(3, 5\), expected \(3, 4\)"):
        map_backbone(wide, config)
    with pytest.raises(BackboneError, match="network depth 1, but VisionTransformer needs 2"):
        map_backbone(build_model(name, depth=2), config)


def test_a_training_starts_with_the_backbone_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_sets, "StillsDataset", FakeStills)
    model = build_model("vit_tiny_patch16_224.augreg_in21k")
    save_file(model.state_dict(), tmp_path / "tiny.safetensors")
    values = fake_config(
        {
            "kind": "joint",
            "name": "base",
            "tasks": ["normals", "depth"],
            "backbone": {
                "checkpoint": str(tmp_path / "tiny.safetensors"),
                "model": "vit_tiny_patch16_224.augreg_in21k",
            },
            "phases": [{**PHASE, "steps": 1, "lr": 1e-30}],
        },
        network=backbone_config("vit_tiny_patch16_224", SIZE).to_dict(),
    )
    train(write_config(tmp_path / "c.yaml", values), tmp_path / "run")
    network, _ = load_network(tmp_path / "run", "base")
    expected = map_backbone(model, network.config)
    assert torch.allclose(network.stem.prefix, expected.stem.prefix)
    for name, value in expected.transformer.state_dict().items():
        assert torch.allclose(network.transformer.state_dict()[name], value), name
