"""The paper's own scheme: a sub-task's weights are the base's plus an element-sparse difference.

Kept as a reference to measure against; it is never exported. For every parameter tensor of the
base's transformer (weights and biases of linears, gains and biases of LayerNorms)::

    W_s = W_b + z * z_g * D

with a hard-concrete gate z per element and z_g per tensor (Shoouri et al., ICCV 2023; the gates
are those of Guo, Rush, Kim, "Parameter-Efficient Transfer Learning with Diff Pruning", ACL 2021).
The one difference in what is shared: the paper gates its patch embedding too, here the
convolutional stem is shared and frozen, as it is for private units. The head is the task's own and
has no gates, as in the paper.

Three things are done otherwise than in the released code. It adds a fixed penalty on open gates;
here the expected density of the difference is held at a target by ``gates.ShareConstraint``, so
that schemes can be compared at equal density. It evaluates, and takes its mask from, a random
sample of the gates; here both use their deterministic value.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.heads import Head
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.vit import VisionTransformer

LINEARS = {"qkv": "norm1", "proj": "attended", "fc1": "norm2", "fc2": "act"}
"""Each linear of a block and the point whose value it reads."""
POINTS = ("norm1", "qkv", "weights", "attended", "proj", "norm2", "fc1", "act", "fc2")
"""Points of a block, in order: what a module puts out; ``weights`` is the attention matrix
(B, heads, N, N) and ``attended`` its product with the values, heads side by side."""

Tap = Callable[[int, str, Tensor], Tensor]
"""Takes layer, point and value, returns the value to go on with."""
Values = list[dict[str, Tensor]]
"""Per block its points' values."""

# As in the released code: temperature 1, stretched symmetrically, nearly all open at the start.
_LOW, _HIGH, _START = -1.5, 1.5, 5.0


class TappedTransformer(nn.Module):
    """A transformer each of whose inner values can be seen and replaced on its way."""

    def __init__(self, transformer: VisionTransformer) -> None:
        """Wrap ``transformer``."""
        super().__init__()
        self.transformer = transformer

    def forward(self, tokens: Tensor, tap: Tap) -> Tensor:
        """Return the last residual stream of tokens (B, N, d); ``tap`` sees all ``POINTS``."""
        x = tokens
        for layer, block in enumerate(self.transformer.blocks):
            read = tap(layer, "norm1", block.norm1(x))
            qkv = tap(layer, "qkv", block.qkv(read))
            query, key, value = (
                part.unflatten(-1, (block.heads, -1)).transpose(1, 2)
                for part in qkv.chunk(3, dim=-1)
            )
            logits = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
            weights = tap(layer, "weights", torch.softmax(logits, dim=-1).to(value.dtype))
            read = tap(layer, "attended", (weights @ value).transpose(1, 2).flatten(2))
            x = x + tap(layer, "proj", block.proj(read))
            read = tap(layer, "norm2", block.norm2(x))
            hidden = tap(layer, "fc1", block.fc1(read))
            x = x + tap(layer, "fc2", block.fc2(tap(layer, "act", F.gelu(hidden))))
        return x


class Recorder:
    """A tap that keeps every value and changes none."""

    def __init__(self) -> None:
        """Start with nothing recorded."""
        self.values: Values = []

    def __call__(self, layer: int, point: str, value: Tensor) -> Tensor:
        """Keep ``value``."""
        if layer == len(self.values):
            self.values.append({})
        self.values[layer][point] = value
        return value


@torch.no_grad()
def dense_values(transformer: VisionTransformer, tokens: Tensor) -> Values:
    """Return the values at all points of a dense pass over tokens (B, N, d)."""
    recorder = Recorder()
    TappedTransformer(transformer)(tokens, recorder)
    return recorder.values


def parameter_sizes(config: NetworkConfig) -> list[int]:
    """Return the number of elements of each of the transformer's parameter tensors."""
    with torch.device("meta"):
        return [parameter.numel() for parameter in VisionTransformer(config).parameters()]


class ElementGates(nn.Module):
    """A hard-concrete gate per element and per tensor of a transformer's parameters.

    Louizos, Welling, Kingma, "Learning Sparse Neural Networks through L0 Regularization", ICLR
    2018. All elements are in one vector: one operation instead of one per tensor.
    """

    def __init__(self, config: NetworkConfig) -> None:
        """Make gates that are all but open."""
        super().__init__()
        self.sizes = parameter_sizes(config)
        self.logits = nn.Parameter(torch.full((sum(self.sizes),), _START))
        self.tensor_logits = nn.Parameter(torch.full((len(self.sizes),), _START))

    def _gate(self, logits: Tensor) -> Tensor:
        """Sample gates in [0, 1] while training; their deterministic value otherwise."""
        if self.training:
            logits = logits + torch.rand_like(logits).clamp(1e-4, 1 - 1e-4).logit()
        return (torch.sigmoid(logits) * (_HIGH - _LOW) + _LOW).clamp(0.0, 1.0)

    def _multiplied(self, elements: Tensor, tensors: Tensor) -> list[Tensor]:
        pairs = zip(elements.split(self.sizes), tensors.unbind(), strict=True)
        return [element * tensor for element, tensor in pairs]

    def forward(self) -> list[Tensor]:
        """Return the factors z * z_g of each parameter tensor, flat."""
        return self._multiplied(self._gate(self.logits), self._gate(self.tensor_logits))

    def open_probabilities(self) -> list[Tensor]:
        """Return the probability that an element of the difference is not zero, as ``forward``.

        Tensor gates get no gradient from here. The paper counts one as a single element, which is
        next to nothing; led by the density of their whole tensor, they would all but shut, and
        noise would decide about whole tensors.
        """
        shift = math.log(-_LOW / _HIGH)
        tensors = torch.sigmoid(self.tensor_logits.detach() - shift)
        return self._multiplied(torch.sigmoid(self.logits - shift), tensors)

    def expected_density(self) -> Tensor:
        """Return the expected share of non-zero elements of the weight difference."""
        return torch.stack([p.sum() for p in self.open_probabilities()]).sum() / sum(self.sizes)

    @torch.no_grad()
    def keep(self, density: float) -> Tensor:
        """Return the mask (elements,) of the largest deterministic gates, as many as fit.

        Gates that are wholly open, or wholly shut, are told apart by their probability of being
        open: near the target density most deterministic gates are at one of both ends.
        """
        training = self.training
        gate = torch.cat(self.eval()())
        self.train(training)
        open_ = torch.cat(self.open_probabilities())
        rank = gate + open_ * (gate >= 1) + (open_ - 1) * (gate <= 0)
        kept = rank.topk(math.floor(density * rank.numel())).indices
        mask = torch.zeros_like(rank, dtype=torch.bool)
        mask[kept] = True
        return mask


class ElementwiseSubTask(nn.Module):
    """The difference D to a base's transformer, its mask, and a head of its own.

    A state dict has all three, so it rebuilds a frozen sub-task; before ``freeze`` the mask is all
    ones.
    """

    mask: Tensor

    def __init__(self, config: NetworkConfig, channels: int) -> None:
        """Make a sub-task that equals the base but for its head."""
        super().__init__()
        self.config = config
        self.sizes = parameter_sizes(config)
        self.delta = nn.Parameter(torch.zeros(sum(self.sizes)))
        self.register_buffer("mask", torch.ones(sum(self.sizes), dtype=torch.bool))
        self.head = Head(config, channels)

    @property
    def density(self) -> float:
        """Share of elements that the mask lets differ from the base."""
        return int(self.mask.sum()) / self.mask.numel()

    def difference(
        self, base: VisionTransformer, gates: Sequence[Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Return dW by parameter name.

        Args:
            base: The transformer that the difference is to.
            gates: Factors z * z_g of each tensor while they are learned; by default the mask.
        """
        factors = self.mask.split(self.sizes) if gates is None else gates
        tensors = zip(base.named_parameters(), self.delta.split(self.sizes), factors, strict=True)
        return {
            name: (delta * factor).view_as(weight) for (name, weight), delta, factor in tensors
        }

    def weights(
        self, base: VisionTransformer, gates: Sequence[Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Return W_s = W_b + dW by parameter name; arguments as in ``difference``."""
        difference = self.difference(base, gates)
        return {name: weight + difference[name] for name, weight in base.named_parameters()}

    def features(
        self,
        base: VisionTransformer,
        tokens: Tensor,
        gates: Sequence[Tensor] | None = None,
        tap: Tap | None = None,
    ) -> Tensor:
        """Return the sub-task's last residual stream of tokens (B, N, d), computed densely."""
        weights = {f"transformer.{n}": w for n, w in self.weights(base, gates).items()}
        tapped = TappedTransformer(base)
        return functional_call(tapped, weights, (tokens, tap or (lambda _, __, value: value)))

    @torch.no_grad()
    def merged(self, base: SingleTaskNetwork) -> SingleTaskNetwork:
        """Return the dense network of this sub-task: the base's stem, W_s, its head."""
        network = SingleTaskNetwork(self.config, self.head.project.out_channels)
        network.stem = copy.deepcopy(base.stem)
        network.transformer.load_state_dict(self.weights(base.transformer))
        network.head = copy.deepcopy(self.head)
        return network.eval()

    @torch.no_grad()
    def changed_weights(self, base: VisionTransformer) -> list[dict[str, int]]:
        """Return per block the non-zeros of each linear's weight difference (biases left out)."""
        difference = self.difference(base)
        return [
            {
                linear: int(difference[f"blocks.{layer}.{linear}.weight"].count_nonzero())
                for linear in LINEARS
            }
            for layer in range(self.config.depth)
        ]


@torch.no_grad()
def freeze(subtask: ElementwiseSubTask, gates: ElementGates, density: float) -> None:
    """Turn learned gates into the sub-task's mask, in place; their factors go into D.

    Args:
        subtask: Sub-task that was trained with ``gates``.
        gates: Its gates.
        density: Largest share of elements that may differ from the base.
    """
    subtask.mask.copy_(gates.keep(density))
    training = gates.training
    subtask.delta.mul_(torch.cat(gates.eval()())).mul_(subtask.mask)
    gates.train(training)


def activation_difference(values: Values, base: Values) -> Tensor:
    """Return mean |X_s - X_b| over every element of the points that the paper penalises.

    These are what norm1, qkv, proj, fc1, act and fc2 put out in every block; norm2, the attention
    matrix and the residual stream are not among them.
    """
    points = ("norm1", "qkv", "proj", "fc1", "act", "fc2")
    total = torch.stack(
        [
            (block[point].float() - reference[point].detach().float()).abs().sum()
            for block, reference in zip(values, base, strict=True)
            for point in points
        ]
    ).sum()
    return total / sum(block[point].numel() for block in base for point in points)
