"""Vision transformers of timm: built at our size, refused where they can't be mapped, read.

timm: https://github.com/huggingface/pytorch-image-models. Nothing is downloaded: weights come from
a file that the caller names.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mtshare_ros.errors import UserError
from mtshare_ros.network.config import STRIDE, NetworkConfig

_MODULES = ("vision_transformer", "deit")
"""timm's modules with plain vision transformers; others differ in what a block computes."""
_NORM_EPS = 1e-6
_IDENTITIES = ("attn.q_norm", "attn.k_norm", "attn.norm", "mlp.norm")
_CLASSIFIERS = ("head.", "head_dist.")


class BackboneError(UserError):
    """A pretrained backbone can't be used; the message says what was found and expected."""


def import_timm() -> Any:
    """Return timm.

    Raises:
        BackboneError: It can't be imported.
    """
    try:
        import timm
    except (ImportError, OSError, RuntimeError) as error:
        raise BackboneError(
            f"timm can't be imported ({' '.join(str(error).split())}): install timm, and a"
            f" torchvision that was built for torch {torch.__version__}"
        ) from error
    return timm


def build(model: str, size: tuple[int, int]) -> Any:
    """Return a timm model to load weights into: patches of 16, no classifier.

    Args:
        model: timm's name, with the tag of the checkpoint where it matters (``.mae``).
        size: Width and height of the image in pixels.

    Raises:
        BackboneError: timm is missing, or the name is not one of a vision transformer.
    """
    timm = import_timm()
    name, _, tag = model.partition(".")
    if not timm.is_model(name):
        raise BackboneError(f"model {model!r}: timm has none of that name")
    if not timm.models.is_model_in_modules(name, _MODULES):
        raise BackboneError(f"model {model!r}: not a plain vision transformer (vit_*, deit*)")
    checkpoints = timm.models.get_arch_pretrained_cfgs(name)
    if tag and model not in checkpoints:
        raise BackboneError(f"model {model!r}: expected one of {', '.join(checkpoints)}")
    if not tag and len({(c.mean, c.std) for c in checkpoints.values()}) > 1:
        raise BackboneError(
            f"model {model!r}: its checkpoints expect images normalised in different ways; name"
            f" one of {', '.join(checkpoints)}"
        )
    return timm.create_model(
        model,
        pretrained=False,
        num_classes=0,
        img_size=(size[1], size[0]),
        patch_size=STRIDE,
        dynamic_img_size=False,
        weight_init="skip",
    ).eval()


def config_of(
    model: Any, size: tuple[int, int], fine_width: int, head_width: int
) -> NetworkConfig:
    """Return the settings of a network that takes the weights of a timm model.

    Raises:
        BackboneError: The model computes what our blocks don't.
    """
    for reason in _differences(model):
        raise BackboneError(f"{type(model).__name__} can't be mapped: {reason}")
    block = model.blocks[0]
    return NetworkConfig(
        width=model.embed_dim,
        depth=len(model.blocks),
        heads=block.attn.num_heads,
        hidden=block.mlp.fc1.out_features,
        fine_width=fine_width,
        head_width=head_width,
        size=size,
        stem="patch",
        prefix=model.num_prefix_tokens,
    )


def final_norm(model: Any) -> nn.Module:
    """Return the last norm: before the pooling, or after it in models that pool by averaging."""
    return model.fc_norm if isinstance(model.norm, nn.Identity) else model.norm


def _differences(model: Any) -> Iterator[str]:
    """Say in which ways a timm model differs from a plain pre-norm vision transformer."""
    timm = import_timm()
    plain = timm.models.vision_transformer
    if not isinstance(model, plain.VisionTransformer):
        yield "expected a VisionTransformer"
        return
    if model.patch_embed.patch_size != (STRIDE, STRIDE):
        yield f"patch size {model.patch_embed.patch_size}, expected {STRIDE}"
    for name in ("patch_embed.norm", "norm_pre"):
        if not isinstance(model.get_submodule(name), nn.Identity):
            yield f"a norm before the first block ({name}), expected none"
    if not _is_layer_norm(final_norm(model)):
        yield f"final norm {final_norm(model)}, expected LayerNorm with eps {_NORM_EPS}"
    for number, block in enumerate(model.blocks):
        for found, expected in (
            (block, plain.Block),
            (getattr(block, "attn", None), timm.layers.Attention),
            (getattr(block, "mlp", None), timm.layers.Mlp),
        ):
            if type(found) is not expected:
                yield f"block {number}: {type(found).__name__}, expected {expected.__name__}"
                return
        for name in _IDENTITIES:
            if not isinstance(block.get_submodule(name), nn.Identity):
                yield f"block {number}: a norm {name}, expected none"
        if getattr(block.attn, "gate", None) is not None:
            yield f"block {number}: gated attention, expected none"
        if block.attn.num_heads * block.attn.head_dim != model.embed_dim:
            yield f"block {number}: heads of {block.attn.head_dim} channels"
        for name in ("norm1", "norm2"):
            norm = block.get_submodule(name)
            if not _is_layer_norm(norm):
                yield f"block {number}: {name} {norm}, expected LayerNorm with eps {_NORM_EPS}"
        if not isinstance(block.mlp.act, nn.GELU) or block.mlp.act.approximate != "none":
            yield f"block {number}: activation {block.mlp.act}, expected the exact GELU"


def _is_layer_norm(norm: nn.Module) -> bool:
    return isinstance(norm, nn.LayerNorm) and norm.eps == _NORM_EPS and norm.elementwise_affine


def load_checkpoint(model: Any, path: Path) -> None:
    """Load a checkpoint into a model that ``build`` returned; classifiers are left out.

    timm does the conversion: the layouts of DINOv2, MAE, DeiT III and others become its own,
    positions are resampled to the model's grid, and kernels of other patch sizes to 16x16 (the
    pseudo-inverse of the patches' resampling: Beyer et al., "FlexiViT", CVPR 2023).

    Args:
        model: Of ``build``.
        path: ``.safetensors``, or a file of ``torch.save`` that holds tensors only.

    Raises:
        BackboneError: The file is missing or can't be read, or its tensors are not the model's.
    """
    timm = import_timm()
    if not path.is_file():
        raise BackboneError(f"{path}: no such file, expected a checkpoint")
    try:
        state = timm.models.load_state_dict(str(path), weights_only=True)
        state = timm.models.vision_transformer.checkpoint_filter_fn(
            state, model, adapt_layer_scale=True
        )
    except Exception as error:  # a foreign file: timm and torch raise what they stumble over
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BackboneError(f"{path}: can't be read as a vision transformer: {reason}") from error
    found = {k: v for k, v in state.items() if not k.startswith(_CLASSIFIERS)}
    expected: dict[str, Tensor] = model.state_dict()
    for kind, keys in (
        ("lacks", sorted(expected.keys() - found.keys())),
        ("has the unknown", sorted(found.keys() - expected.keys())),
    ):
        if keys:
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise BackboneError(f"{path}: {kind} {keys[0]}{more}; is it of another model?")
    for key, value in expected.items():
        shape = tuple(getattr(found[key], "shape", ()))
        if shape != tuple(value.shape):
            raise BackboneError(f"{path}: {key} {shape}, expected {tuple(value.shape)}")
    model.load_state_dict(found)
