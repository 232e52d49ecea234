"""The caches of one stream in torch."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace

import onnx
import pytest
import torch

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.perception.engines.derived_graphs import derive_graphs
from mtshare_ros.perception.engines.torch.engine import TorchBundleEngine
from mtshare_ros.perception.engines.torch.graph_runner import TorchGraph
from mtshare_ros.perception.engines.torch.state import TorchBundleState

ROWS = [3, 7, 20]


def test_every_cache_of_the_manifest_has_a_row_for_each_token(bundle_path: Path) -> None:
    manifest, cpu = load_manifest(bundle_path), torch.device("cpu")
    graphs = {
        name: TorchGraph(onnx.load_from_string(model), cpu)
        for name, model in derive_graphs(bundle_path, manifest, "fp32")
    }
    state = TorchBundleState(manifest, graphs, cpu)
    for name, graph in manifest.graphs.items():
        for cache in graph.state:
            tensor = state.tensors[f"{name}.{cache}"]
            assert len(tensor) == manifest.input.rows and not tensor.any()
    assert set(state.stages) == set(manifest.graphs)


@pytest.fixture(scope="module")
def torch_engine(bundle_path: Path) -> TorchBundleEngine:
    manifest = load_manifest(bundle_path)
    return TorchBundleEngine(bundle_path, manifest, torch.device("cpu"), "fp32")


@pytest.fixture
def state(torch_engine: TorchBundleEngine) -> TorchBundleState:
    """Memory with random tokens, of which the rows ``ROWS`` are to be computed."""
    state = torch_engine.new_state()
    state.tensors["stem.tokens"].normal_(generator=torch.Generator().manual_seed(0))
    state.tensors["base.index"][: len(ROWS)] = torch.tensor(ROWS)
    return state


def caches(engine: TorchBundleEngine, state: TorchBundleState) -> dict[str, torch.Tensor]:
    names = engine.manifest.graphs["base"].state
    return {name: state.tensors[f"base.{name}"].clone() for name in names}


class Recording:
    """Stands in for a CUDA graph: it notes its pool, and how often it is replayed."""

    def __init__(self) -> None:
        """Start unrecorded."""
        self.replays, self.given = 0, None

    def replay(self) -> None:
        """Count."""
        self.replays += 1

    def pool(self) -> str:
        """Return the first pool that there was."""
        return self.given or "first pool"


@contextmanager
def recorded(recording: Recording, pool: str | None) -> Iterator[None]:
    """Stand in for ``torch.cuda.graph``."""
    recording.given = pool
    yield


@torch.no_grad()
def test_stages_are_recorded_at_every_size_in_one_pool_and_replayed(
    torch_engine: TorchBundleEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = SimpleNamespace(wait_stream=lambda other: None)
    monkeypatch.setattr(torch.cuda, "Stream", lambda: side)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: side)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Recording)
    monkeypatch.setattr(torch.cuda, "graph", recorded)
    state = torch_engine.new_state()
    state.record((3, 12), lambda name: name != "stem")
    assert set(state.stages["stem"]._recorded) == {0}
    assert state.tensors["base.index"][:12].tolist() == list(range(12))
    recordings = [r for stage in state.stages.values() for r in stage._recorded.values()]
    assert [r.given for r in recordings] == [None, *["first pool"] * (len(recordings) - 1)]
    base = state.stages["base"]
    assert set(base._recorded) == {3, 12}
    before = caches(torch_engine, state)
    state.tensors["stem.tokens"].add_(1)
    base.run(12)
    assert [base._recorded[size].replays for size in (3, 12)] == [0, 1]
    for name, after in caches(torch_engine, state).items():
        assert torch.equal(after, before[name]), "a replay launches, and computes nothing itself"


@torch.no_grad()
def test_results_stay_in_the_memory_that_other_stages_read(state: TorchBundleState) -> None:
    places = {name: tensor.data_ptr() for name, tensor in state.tensors.items()}
    state.stages["stem"].run(0)
    state.stages["base"].run(len(ROWS))
    assert {name: tensor.data_ptr() for name, tensor in state.tensors.items()} == places


@torch.no_grad()
def test_a_stage_writes_the_rows_of_its_index_and_no_others(
    torch_engine: TorchBundleEngine, state: TorchBundleState
) -> None:
    before = caches(torch_engine, state)
    state.stages["base"].run(len(ROWS))
    for name, after in caches(torch_engine, state).items():
        changed = (after != before[name]).flatten(1).any(dim=1)
        assert changed.nonzero().flatten().tolist() == ROWS, name


@torch.no_grad()
def test_what_was_committed_can_be_taken_back(
    torch_engine: TorchBundleEngine, state: TorchBundleState
) -> None:
    state.stages["base"].run(len(ROWS))
    before = caches(torch_engine, state)
    state.tensors["stem.tokens"].neg_()
    state.stages["base"].run(len(ROWS))
    assert any((new != before[name]).any() for name, new in caches(torch_engine, state).items())
    state.stages["base"].undo(len(ROWS))
    for name, after in caches(torch_engine, state).items():
        assert torch.equal(after, before[name]), name


def test_each_state_has_memory_of_its_own_as_the_manifest_says(
    torch_engine: TorchBundleEngine,
) -> None:
    first, second = torch_engine.new_state(), torch_engine.new_state()
    spec = torch_engine.manifest.input
    assert first.hosts["stem.image"].shape == (1, 3, spec.height, spec.width)
    assert first.hosts["base.index"].shape == (spec.rows,)
    places = {tensor.data_ptr() for tensor in first.tensors.values()}
    assert places.isdisjoint(tensor.data_ptr() for tensor in second.tensors.values())
