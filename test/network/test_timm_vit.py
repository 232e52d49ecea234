"""Models and files of timm that can't be mapped are refused, and the message says why."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

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
    elif kind == "more than the model":
        state = build_model("vit_tiny_patch16_224").state_dict()
        torch.save({**state, "reg_token": torch.zeros(1, 4, 192)}, path)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("nothing", "no such file"),
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


def test_without_timm_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(BackboneError, match="install timm, and a torchvision"):
        build("vit_tiny_patch16_224", SIZE)
