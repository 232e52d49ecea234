"""How a bundle is run."""

import pytest

from mtshare_ros.errors import OptionError
from mtshare_ros.evaluation import run_options
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


def test_a_bundle_is_run_on_changed_tokens_without_a_budget_by_default():
    options = Options()
    assert (options.policy, options.engine, options.baselines) == ("tokens", "auto", ())
    assert (options.max_dirty_fraction, options.threads) == (1.0, 2)


def test_an_engine_gets_the_threads_that_are_asked_for(bundle_path, monkeypatch):
    asked = []
    monkeypatch.setattr(run_options, "open_engine", lambda *wanted: asked.append(wanted))
    Options(engine="onnxruntime", threads=3).open(bundle_path)
    assert asked == [(bundle_path, "onnxruntime", 3)]
