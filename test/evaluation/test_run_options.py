"""How a bundle is run."""

import pytest

from mtshare_ros.errors import OptionError
from mtshare_ros.evaluation.run_options import Options


def test_a_bundle_is_opened_on_the_engine_that_is_asked_for(bundle_path):
    assert Options(engine="onnxruntime", threads=1).open(bundle_path).name == "onnxruntime"
    with pytest.raises(OptionError, match="--engine 'abacus': expected one of auto, "):
        Options(engine="abacus").open(bundle_path)


def test_outputs_have_the_size_of_the_image():
    settings = Options(max_dirty_fraction=0.25).stream_settings()
    assert (settings.max_dirty_fraction, settings.output_size) == (0.25, "input")
    with pytest.raises(OptionError, match="max_dirty_fraction: 1.5, expected 0 to 1"):
        Options(max_dirty_fraction=1.5).stream_settings()


def test_single_images_are_computed_densely_and_have_no_baselines():
    options = Options(policy="hold:3", threads=4)
    assert options.of_single_images() == Options(policy="dense", threads=4)
    with pytest.raises(OptionError, match="--baseline: expected with --bag"):
        Options(baselines=("hold:2",)).of_single_images()
