"""How a bundle is run when it is scored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from mtshare_ros.errors import OptionError
from mtshare_ros.perception.engines import BACKENDS, open_engine
from mtshare_ros.perception.engines.interface import Engine
from mtshare_ros.perception.selection import DENSE
from mtshare_ros.perception.stream_settings import StreamSettings


@dataclass(frozen=True)
class Options:
    """How to run a bundle.

    Attributes:
        policy: What a frame recomputes; see ``policies.open_stream``.
        engine: One of ``perception.engines.BACKENDS``.
        max_dirty_fraction: Budget of the policy ``tokens``, 0 to 1.
        threads: CPU threads of the engine.
        baselines: What else to run on the same frames: ``hold:K``, ``warp:K``, or folders of
            bundles.
    """

    policy: str = "tokens"
    engine: str = "auto"
    max_dirty_fraction: float = 1.0
    threads: int = 2
    baselines: tuple[str, ...] = ()

    def open(self, bundle: Path) -> Engine:
        """Open a bundle on the wanted engine.

        Raises:
            OptionError: There is no such engine.
            BundleError: The bundle can't be used.
        """
        if self.engine not in BACKENDS:
            raise OptionError(f"--engine {self.engine!r}: expected one of {', '.join(BACKENDS)}")
        return open_engine(bundle, self.engine, self.threads)

    def stream_settings(self) -> StreamSettings:
        """Return the settings of a stream whose outputs have the image's size.

        Raises:
            OptionError: An option is out of range.
        """
        # At the image's size, predictions and ground truth are one to one, and what is scored
        # includes the upsampling that users of the node get.
        try:
            return StreamSettings(max_dirty_fraction=self.max_dirty_fraction, output_size="input")
        except ValueError as error:
            raise OptionError(str(error)) from error

    def of_single_images(self) -> Options:
        """Return the options for images without a past: each of them is computed densely.

        Raises:
            OptionError: There are baselines, which compare frames in time.
        """
        if self.baselines:
            raise OptionError("--baseline: expected with --bag; images have no past to compare")
        return replace(self, policy=DENSE)
