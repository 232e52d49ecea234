"""Where a training runs: one process or several, CPU or GPUs, in float32 or bfloat16.

Lightning Fabric starts the process group (gloo on CPUs, nccl on GPUs), wraps the job in
DistributedDataParallel and computes in mixed precision. `torchrun` starts the processes::

    torchrun --nproc-per-node 2 -m mtshare_ros train CONFIG.yaml --output RUN

A step of several processes is the step of one process with the whole batch: each takes its part of
the same drawn batch, losses are means over all valid pixels of all parts, and batch norms use the
statistics of all parts.
"""

from __future__ import annotations

import os

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.nn.functional import all_reduce

from mtshare_ros.training.configuration import ConfigError


def supports_bf16() -> bool:
    """Return whether this machine multiplies bfloat16 in hardware."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _processes(variable: str) -> int:
    """Return a number of processes that `torchrun` sets; 1 without it."""
    text = os.environ.get(variable, "1")
    if not text.isdecimal() or not int(text):
        raise ConfigError(f"{variable}: found {text!r}, expected a number, as torchrun sets it")
    return int(text)


def open_fabric(precision: str) -> Fabric:
    """Return the fabric of this process: one of `torchrun`'s, or the only one.

    Args:
        precision: ``bf16``, ``fp32`` or ``auto`` (bf16 where the hardware has it).

    Raises:
        ConfigError: More processes than GPUs on this machine, or no number of them.
    """
    half = precision == "bf16" or (precision == "auto" and supports_bf16())
    here = _processes("LOCAL_WORLD_SIZE")
    nodes = _processes("WORLD_SIZE") // here
    accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    if accelerator == "cuda" and here > torch.cuda.device_count():
        raise ConfigError(
            f"torchrun --nproc-per-node {here}: this machine has {torch.cuda.device_count()} GPUs"
        )
    fabric = Fabric(
        accelerator=accelerator,
        devices=here,
        num_nodes=nodes,
        strategy="ddp" if here * nodes > 1 else "auto",
        precision="bf16-mixed" if half else "32-true",
    )
    fabric.launch()
    return fabric


def world_size() -> int:
    """Return the number of processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def global_mean(values: Tensor) -> Tensor:
    """Return the mean of values whose number differs from process to process.

    It is scaled so that the mean over the processes, which is what gradients are averaged to, is
    the mean over all values of all processes.
    """
    count = torch.tensor(float(values.numel()), device=values.device)
    if world_size() > 1:
        dist.all_reduce(count)
        count = count / world_size()
    return values.sum() / count.clamp(min=1.0)


class GlobalBatchNorm2d(nn.BatchNorm2d):
    """Batch norm over the parts of all processes.

    PyTorch's SyncBatchNorm does the same on GPUs and refuses CPUs.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W) with the statistics of all processes, in float32."""
        if not self.training or world_size() == 1:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            wide = x.float()
            mean = all_reduce(wide.mean((0, 2, 3))) / world_size()
            centred = wide - mean[:, None, None]
            variance = all_reduce(centred.square().mean((0, 2, 3))) / world_size()
            self._track(mean.detach(), variance.detach(), world_size() * x.numel() // x.shape[1])
            scale = self.weight * torch.rsqrt(variance + self.eps)
            return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, count: int) -> None:
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        self.num_batches_tracked.add_(1)


def with_global_batch_norms(module: nn.Module) -> None:
    """Replace the batch norms in ``module`` by ones over all processes; weights stay."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.BatchNorm2d:
                norm = GlobalBatchNorm2d(child.num_features, child.eps)
                norm.load_state_dict(child.state_dict())
                norm.train(child.training)
                for new, old in zip(norm.parameters(), child.parameters(), strict=True):
                    new.requires_grad_(old.requires_grad)
                setattr(parent, name, norm)
