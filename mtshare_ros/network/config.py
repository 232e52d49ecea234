"""Settings of a network: the one place for its sizes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

STRIDE = 16
"""Side of a token in pixels."""
FINE_STRIDE = 4
"""Stride of the stem's fine features and of the raw maps."""
LONGEST_SIDE = 8192
"""Longest side of an input in pixels, as bundles may have."""
MOST_UNITS = 1 << 16
"""Largest number of channels, blocks, heads or neurons that is no mistake."""


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of the stem, the transformer and the heads.

    Attributes:
        width: Channels d of a token.
        depth: Number of transformer blocks L.
        heads: Attention heads per block; ``width / heads`` is the width of one.
        hidden: Hidden neurons of a block's MLP.
        fine_width: Channels of the stem's stride-4 features.
        head_width: Channels inside a task's head.
        size: Width and height of the input in pixels, multiples of 16.
        stem: ``conv`` (four halvings) or ``patch`` (one 16x16 convolution, as pretrained vision
            transformers have).
        prefix: Learned tokens P without a place in the image (class token, registers); they are
            computed in every frame and are not counted in the private share.
    """

    # Part of a training configuration, where pydantic checks it: a misspelt key is refused.
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    width: int = 192
    depth: int = 12
    heads: int = 6
    hidden: int = 768
    fine_width: int = 48
    head_width: int = 32
    size: tuple[int, int] = (320, 240)
    stem: Literal["conv", "patch"] = "conv"
    prefix: int = 0

    def __post_init__(self) -> None:
        """Refuse sizes that don't fit together."""
        for name in ("width", "depth", "heads", "hidden", "fine_width", "head_width"):
            if not 1 <= getattr(self, name) <= MOST_UNITS:
                found = getattr(self, name)
                raise ValueError(f"network {name} {found}: expected 1 to {MOST_UNITS}")
        if self.width % self.heads:
            raise ValueError(f"network width {self.width} is not a multiple of heads {self.heads}")
        if any(side % STRIDE or not 0 < side <= LONGEST_SIDE for side in self.size):
            raise ValueError(f"network size {self.size}: expected multiples of {STRIDE}")
        if self.stem not in ("conv", "patch"):
            raise ValueError(f"network stem {self.stem!r}: expected 'conv' or 'patch'")
        if not 0 <= self.prefix <= MOST_UNITS:
            raise ValueError(f"network prefix {self.prefix}: expected 0 to {MOST_UNITS}")

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the token grid."""
        return self.size[1] // STRIDE, self.size[0] // STRIDE

    @property
    def tokens(self) -> int:
        """Number of image tokens N."""
        return self.grid[0] * self.grid[1]

    @property
    def rows(self) -> int:
        """Rows P + N of the residual stream: prefix tokens, then image tokens."""
        return self.prefix + self.tokens

    @property
    def head_dim(self) -> int:
        """Channels of one attention head."""
        return self.width // self.heads

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain values, for a manifest or a checkpoint."""
        return {**asdict(self), "size": list(self.size)}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> NetworkConfig:
        """Inverse of ``to_dict``; settings that older networks lack take their defaults."""
        return NetworkConfig(**{**values, "size": tuple(values["size"])})
