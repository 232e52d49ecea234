"""Models and files of timm that can't be mapped are refused, and the message says why."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mtshare_ros.errors import exit_status
from mtshare_ros.network.timm_vit import BackboneError, build, config_of, load_checkpoint
from support.timm_models import SIZE, build_model, import_timm

import_timm()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("vit_giant_patch14_dinov2", "GluMlp, expected Mlp"),
        ("vit_base_patch16_clip_224.openai", "norm_pre"),
        ("vit_base_patch16_rope_224", "not a plain vision transformer"),
        ("swin_tiny_patch4_window7_224", "not a plain vision transformer"),
        ("vit_base_patch16_224", "name one of .*vit_base_patch16_224.mae"),
        ("vit_base_patch16_224.none", "expected one of .*vit_base_patch16_224.mae"),
        ("vit_tiny_patch17", "timm has none of that name"),
    ],
)
def test_a_model_that_can_not_be_mapped_is_refused(name: str, reason: str) -> None:
    with pytest.raises(BackboneError, match=reason), torch.device("meta"):
        config_of(build(name, SIZE), SIZE, 48, 32)


def test_a_model_with_normalised_queries_is_refused() -> None:
    model = build_model("vit_tiny_patch16_224", depth=1, qk_norm=True)
    with pytest.raises(BackboneError, match="a norm attn.q_norm"):
        config_of(model, SIZE, 48, 32)


def _replaced(name: str, module: nn.Module) -> Callable[[Any], None]:
    """Return what puts a module in the place of one of a model's."""
    return lambda model: model.set_submodule(name, module)


def _same_but_derived(model: Any) -> None:
    """Give the last block another class of attention, whose forward may be another."""
    attention = model.blocks[1].attn
    attention.__class__ = type("Windowed", (type(attention),), {})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_replaced("patch_embed.norm", nn.LayerNorm(192)), "before the first block .patch_embed"),
        (_replaced("norm_pre", nn.LayerNorm(192)), "before the first block .norm_pre"),
        (_replaced("norm", nn.LayerNorm(192, eps=1e-5)), "final norm .*eps 1e-06"),
        (_replaced("norm", nn.BatchNorm1d(192, eps=1e-6)), "final norm BatchNorm1d"),
        (
            _replaced("norm", nn.LayerNorm(192, eps=1e-6, elementwise_affine=False)),
            "final norm .*expected LayerNorm",
        ),
        (_replaced("blocks.1.attn.norm", nn.LayerNorm(192)), "block 1: a norm attn.norm"),
        (_replaced("blocks.1.attn.k_norm", nn.LayerNorm(64)), "block 1: a norm attn.k_norm"),
        (_replaced("blocks.1.mlp.norm", nn.LayerNorm(768)), "block 1: a norm mlp.norm"),
        (_replaced("blocks.1.norm2", nn.LayerNorm(192, eps=1e-5)), "block 1: norm2 .*1e-06"),
        (_replaced("blocks.1.mlp.act", nn.SiLU()), "block 1: activation SiLU"),
        (_replaced("blocks.1.mlp.act", nn.GELU("tanh")), "block 1: activation .*the exact GELU"),
        (_same_but_derived, "block 1: Windowed, expected Attention"),
        (lambda model: setattr(model.blocks[1].attn, "gate", nn.Identity()), "gated attention"),
        (lambda model: setattr(model.blocks[1].attn, "head_dim", 32), "heads of 32 channels"),
        (lambda model: setattr(model.patch_embed, "patch_size", (16, 8)), "patch size .16, 8."),
    ],
)
def test_a_model_that_computes_something_else_is_refused(
    change: Callable[[Any], None], reason: str
) -> None:
    model = build_model("vit_tiny_patch16_224", depth=2)
    config_of(model, SIZE, 48, 32)
    change(model)
    with pytest.raises(BackboneError, match=f"VisionTransformer can't be mapped: .*{reason}"):
        config_of(model, SIZE, 48, 32)


def test_what_is_no_vision_transformer_is_refused() -> None:
    with pytest.raises(BackboneError, match="Linear can't be mapped: expected a Vision"):
        config_of(nn.Linear(2, 2), SIZE, 48, 32)


class _Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("run",)


def _write(kind: str, path: Path) -> None:
    if kind == "text":
        path.write_text("no weights")
    elif kind == "code":
        torch.save({"model": _Code()}, path)
    elif kind == "other sizes":
        state = build_model("vit_tiny_patch16_224").state_dict()
        torch.save({**state, "blocks.3.mlp.fc1.bias": torch.zeros(384)}, path)
    elif kind == "half a model":
        torch.save(build_model("vit_tiny_patch16_224", depth=11).state_dict(), path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "more than the model":
        state = build_model("vit_tiny_patch16_224").state_dict()
        torch.save({**state, "reg_token": torch.zeros(1, 4, 192)}, path)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("nothing", "no such file"),
        ("folder", "no such file"),
        ("text", "can't be read"),
        ("code", "can't be read"),
        ("other sizes", r"blocks.3.mlp.fc1.bias \(384,\), expected \(768,\)"),
        ("half a model", "lacks blocks.11.* and 11 more"),
        ("more than the model", "has the unknown reg_token"),
    ],
)
def test_a_file_that_is_not_the_models_is_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, reason: str
) -> None:
    path = tmp_path / "weights.pth"
    _write(kind, path)
    model = build("vit_tiny_patch16_224", SIZE)
    with pytest.raises(BackboneError, match=rf"weights\.pth: .*{reason}") as caught:
        load_checkpoint(model, path)
    assert exit_status(caught.value) == 2
    assert "run" not in capsys.readouterr().out


@pytest.mark.parametrize("error", [None, OSError, RuntimeError])
def test_without_timm_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception] | None
) -> None:
    class Broken(MetaPathFinder):
        def find_spec(self, fullname: str, *_: object) -> None:
            if fullname == "timm" and error is not None:
                raise error("torchvision::nms\n does not exist")

    if error is None:
        monkeypatch.setitem(sys.modules, "timm", None)
    else:
        monkeypatch.delitem(sys.modules, "timm")
        monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(BackboneError, match="install timm, and a torchvision") as caught:
        build("vit_tiny_patch16_224", SIZE)
    assert "\n" not in str(caught.value)


def test_both_classifiers_of_a_distilled_model_are_left_out(tmp_path: Path) -> None:
    name = "deit_tiny_distilled_patch16_224"
    state = build_model(name, num_classes=10).state_dict()
    assert build(name, SIZE).patch_embed.grid_size == (3, 4)  # rows and columns of 64x48
    assert {"head.weight", "head_dist.weight"} < set(state)
    torch.save(state, tmp_path / "weights.pth")
    model = build(name, SIZE)
    load_checkpoint(model, tmp_path / "weights.pth")
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_the_scales_of_an_original_deit_iii_are_renamed(tmp_path: Path) -> None:
    model = build_model("deit3_small_patch16_224", depth=1)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    for number in (1, 2):
        state[f"blocks.0.gamma_{number}"] = state.pop(f"blocks.0.ls{number}.gamma") + 1.0
    torch.save(state, tmp_path / "weights.pth")
    load_checkpoint(model, tmp_path / "weights.pth")
    assert torch.equal(model.blocks[0].ls2.gamma, state["blocks.0.gamma_2"])
