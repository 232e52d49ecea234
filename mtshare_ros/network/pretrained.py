"""Pretrained vision transformers of timm and DINOv2 as the base's stem and transformer.

What timm computes beside our blocks is linear and folds into their weights exactly: the image
normalisation into the patch projection, LayerScale into ``proj`` and ``fc2``, class and register
tokens with their positions into the prefix. ``docs/backbones.md`` says what can't be mapped.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.single_task import SharedEncoder, SingleTaskNetwork
from mtshare_ros.network.stem import PatchStem
from mtshare_ros.network.timm_vit import (
    BackboneError,
    build,
    config_of,
    final_norm,
    load_checkpoint,
)
from mtshare_ros.network.vit import Block, VisionTransformer
from mtshare_ros.perception.frame import IMAGE_MEAN, IMAGE_SCALE


@dataclass(frozen=True)
class Backbone:
    """A pretrained vision transformer in our modules.

    Attributes:
        stem: Projection, positions and prefix tokens; its fine branch is untrained.
        transformer: All blocks.
        norm: The final LayerNorm: ``norm(features)`` is what timm's ``forward_features`` returns
            (before the norm that follows the pooling, in models that pool by averaging).
    """

    stem: PatchStem
    transformer: VisionTransformer
    norm: nn.LayerNorm

    def start(self, network: SingleTaskNetwork | SharedEncoder) -> None:
        """Start a network with these weights; its fine branch and heads keep theirs.

        Every head's LayerNorm starts as the final norm.
        """
        own = network.stem.state_dict()
        fine = {name: value for name, value in own.items() if name.startswith("to_fine.")}
        network.stem.load_state_dict({**self.stem.state_dict(), **fine})
        network.transformer.load_state_dict(self.transformer.state_dict())
        shared = isinstance(network, SharedEncoder)
        for head in network.heads.values() if shared else [network.head]:
            head.norm.load_state_dict(self.norm.state_dict())


def backbone_config(
    model: str, size: tuple[int, int], fine_width: int = 48, head_width: int = 32
) -> NetworkConfig:
    """Return the settings of a network that takes the weights of a timm model.

    Args:
        model: timm's name, such as ``vit_small_patch14_dinov2``.
        size: Width and height of the input in pixels, multiples of 16.
        fine_width: Channels of the stem's stride-4 features.
        head_width: Channels inside a task's head.

    Raises:
        BackboneError: timm is missing, has no such model, or it can't be mapped.
    """
    with torch.device("meta"):  # sizes only: some of these models take gigabytes
        return config_of(build(model, size), size, fine_width, head_width)


def load_backbone(path: Path, model: str, config: NetworkConfig) -> Backbone:
    """Return the backbone of a checkpoint in a local file.

    timm builds the model with patches of 16 at our image size and loads the file: original DINOv2
    checkpoints are converted, positions and 14x14 patch kernels are resampled.

    Args:
        path: ``.safetensors``, or a file of ``torch.save`` that holds tensors only.
        model: timm's name of what the file holds; with the tag (``vit_base_patch16_224.mae``)
            where the checkpoints of a model expect images normalised in different ways.
        config: The network to start; ``backbone_config`` returns one that fits.

    Raises:
        BackboneError: timm or the file is missing, the file is of another model, or the model
            can't be mapped onto a network of ``config``.
    """
    _check_fits(backbone_config(model, config.size), config, model)
    built = build(model, config.size)
    load_checkpoint(built, path)
    return map_backbone(built, config)


@torch.no_grad()
def map_backbone(model: Any, config: NetworkConfig) -> Backbone:
    """Return a timm model in our modules; its image size and patches are ``config``'s.

    Raises:
        BackboneError: The model can't be mapped onto a network of ``config``.
    """
    found = config_of(model, config.size, config.fine_width, config.head_width)
    _check_fits(found, config, type(model).__name__)
    if model.patch_embed.grid_size != config.grid:
        raise BackboneError(f"token grid {model.patch_embed.grid_size}, expected {config.grid}")
    transformer = VisionTransformer(config)
    for block, source in zip(transformer.blocks, model.blocks, strict=True):
        _map_block(block, source)
    norm = nn.LayerNorm(config.width, eps=1e-6)
    _copy(norm, final_norm(model))
    return Backbone(_map_stem(model, config), transformer, norm)


def _check_fits(found: NetworkConfig, config: NetworkConfig, model: str) -> None:
    """Refuse a configuration whose transformer has other sizes than the model."""
    for key in ("stem", "width", "depth", "heads", "hidden", "prefix"):
        expected, got = getattr(found, key), getattr(config, key)
        if expected != got:
            raise BackboneError(f"network {key} {got!r}, but {model} needs {expected!r}")


def _map_stem(model: Any, config: NetworkConfig) -> PatchStem:
    stem = PatchStem(config)
    projection = model.patch_embed.proj
    mean, std = (torch.tensor(model.pretrained_cfg[k]).double() for k in ("mean", "std"))
    # Ours: x = (image - IMAGE_MEAN) * IMAGE_SCALE; timm's: (image / 255 - mean) / std = gain x +
    # offset. Exact at the border too, since the projection pads nothing.
    gain = 1.0 / (255.0 * IMAGE_SCALE * std)
    offset = (torch.tensor(IMAGE_MEAN).double() / 255.0 - mean) / std
    weight = projection.weight.double()
    bias = torch.zeros(len(weight)) if projection.bias is None else projection.bias
    stem.to_tokens.weight.copy_(weight * gain[:, None, None])
    stem.to_tokens.bias.copy_(bias + (weight.sum((2, 3)) * offset).sum(1))
    # What timm puts before empty patches and adds to them, whichever way the model does it.
    rows = model._pos_embed(torch.zeros(1, config.tokens, config.width))
    position = rows[:, config.prefix :].transpose(1, 2).unflatten(2, config.grid)
    stem.position.copy_(position)
    if stem.prefix is not None:
        stem.prefix.copy_(rows[:, : config.prefix])
    return stem


def _map_block(block: Block, source: Any) -> None:
    _copy(block.norm1, source.norm1)
    _copy(block.qkv, source.attn.qkv)
    _copy(block.proj, source.attn.proj, getattr(source.ls1, "gamma", None))
    _copy(block.norm2, source.norm2)
    _copy(block.fc1, source.mlp.fc1)
    _copy(block.fc2, source.mlp.fc2, getattr(source.ls2, "gamma", None))


def _copy(
    target: nn.Linear | nn.LayerNorm, source: nn.Linear | nn.LayerNorm, gain: Tensor | None = None
) -> None:
    """Copy weight and bias, a missing bias as zero, with a factor on each output channel."""
    bias = torch.zeros_like(target.bias) if source.bias is None else source.bias
    weight = source.weight
    if gain is not None:
        weight, bias = weight * gain[:, None], bias * gain
    target.weight.copy_(weight)
    target.bias.copy_(bias)
