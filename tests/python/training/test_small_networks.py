"""LLM-Streamline's small networks in the place of a run of blocks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from msgspec import structs
from torch import Tensor, nn
from transformers import DynamicCache

from depthkit_worker.contract.wire import (
    Objective,
    RepairSaveOptions,
    ReplacementBlockOptions,
    ReplacementKind,
)
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.checksum import weights_checksum
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.stream_updates import FeedForward, SwiGlu
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.fitting import Fitted
from depthkit_worker.repair.repair import Repair
from depthkit_worker.repair.replacement_block import fit_replacement_block
from depthkit_worker.repair.storage import added_parameters, load_repairs, make_repair, save_repairs
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from export.checkpoints import greedy, logits, reload, save
from influence.builders import tiny
from tiny import token_ids
from training.builders import REMOVED, SHORT, base_of, corpus, ignore

KINDS: tuple[ReplacementKind, ...] = ("feed-forward", "swiglu")
ON_STREAMS = structs.replace(
    SHORT, steps=60, learning_rate=3e-3, objective=Objective(kl=0, loss=0, hidden=1), batch_size=6
)


def fit(decoder: Decoder, kind: ReplacementKind, width: int | None = None, **training: object) -> Fitted:
    options = ReplacementBlockOptions(
        kind=kind, width=width, training=structs.replace(ON_STREAMS, **training)
    )
    return fit_replacement_block(options, ignore, base_of(decoder), Unattended())


def network_of(fitted: Fitted) -> FeedForward | SwiGlu:
    (fill,) = fitted.fills
    update = fill.edits[2].beside
    assert list(fill.edits) == [2] and fill.removed == REMOVED
    assert isinstance(update, FeedForward | SwiGlu)
    return update


def repair_of(decoder: Decoder, fitted: Fitted) -> Repair:
    (fill,) = fitted.fills
    return make_repair(decoder, "replacement-block", fill.removed, fill.edits, "{}", fill.base)


def by_modules(network: FeedForward | SwiGlu, x: Tensor) -> Tensor:
    """The same network of PyTorch's own layers."""

    def linear(weight: Tensor, bias: Tensor | None = None) -> nn.Linear:
        inputs, outputs = weight.shape
        layer = nn.Linear(inputs, outputs, bias=bias is not None)
        layer.weight.data = weight.detach().T
        if bias is not None:
            layer.bias.data = bias.detach()
        return layer

    with torch.no_grad():
        if isinstance(network, FeedForward):
            layers = linear(network.up, network.up_bias), nn.ReLU(), linear(network.down, network.down_bias)
            made: Tensor = nn.Sequential(*layers)(x)
            return made
        gated = nn.functional.silu(linear(network.gate)(x)) * linear(network.up)(x)
        behind: Tensor = linear(network.down)(gated)
        return behind


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["llama", "gpt_neox-parallel"])
def test_the_stream_behind_the_run_is_what_the_network_makes_of_it(name: str, kind: ReplacementKind) -> None:
    decoder, ids = tiny(name), token_ids(2, 11)
    before = weights_checksum(decoder)
    fitted = fit(decoder, kind, steps=3)
    seen: list[Tensor] = []
    with removed(Subnetwork(decoder, REMOVED, (repair_of(decoder, fitted),))), torch.no_grad():
        handles = [
            decoder.blocks[index].register_forward_pre_hook(
                lambda _m, args, kwargs: seen.append(args[0] if args else kwargs["hidden_states"]),
                with_kwargs=True,
            )
            for index in (2, 4)
        ]
        decoder.model(ids, use_cache=False)
        for handle in handles:
            handle.remove()
    torch.testing.assert_close(seen[1], by_modules(network_of(fitted), seen[0]), atol=1e-5, rtol=1e-5)
    assert weights_checksum(decoder) == before


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_the_streams_of_the_dense_model(kind: ReplacementKind) -> None:
    fitted = fit(tiny("llama"), kind)
    report = fitted.training
    assert report is not None
    first, last = report.points[1].objective, report.points[-1].objective
    assert first is not None and last is not None and last < 0.6 * first
    assert fitted.notes == ()


@pytest.mark.parametrize("kind", KINDS)
def test_the_start_is_random_by_the_seed_and_within_its_bounds(kind: ReplacementKind) -> None:
    decoder = tiny("llama")
    one, again, other = (
        network_of(fit(decoder, kind, steps=1, learning_rate=1e-12, warmup=0, clip=None, seed=seed))
        for seed in (0, 0, 1)
    )
    for name, value in one.named_parameters():
        assert torch.equal(value, dict(again.named_parameters())[name])
        assert not torch.equal(value, dict(other.named_parameters())[name])
        inputs = one.down.shape[0] if name.startswith("down") else one.up.shape[0]
        largest = float(value.abs().max())
        assert 0.8 * inputs**-0.5 < largest <= inputs**-0.5 + 1e-6


def test_widths_are_the_papers_or_what_was_asked_for() -> None:
    decoder = tiny("llama")
    sizes = {
        (kind, width): added_parameters(decoder, repair_of(decoder, fit(decoder, kind, width, steps=1)))
        for kind in KINDS
        for width in (None, 10)
    }
    assert sizes == {
        ("feed-forward", None): 2 * 32 * 128 + 128 + 32,
        ("feed-forward", 10): 2 * 32 * 10 + 10 + 32,
        ("swiglu", None): 3 * 32 * 85,
        ("swiglu", 10): 3 * 32 * 10,
    }


@pytest.mark.parametrize("kind", KINDS)
def test_saved_and_loaded_it_is_the_same_repair(kind: ReplacementKind, tmp_path: Path) -> None:
    decoder = tiny("llama")
    repair = repair_of(decoder, fit(decoder, kind, steps=2))
    subnetwork = Subnetwork(decoder, REMOVED, (repair,))
    save_repairs(subnetwork, tmp_path / "saved", RepairSaveOptions(), Unattended())
    loaded = load_repairs(decoder, tmp_path / "saved")
    assert [one.digest for one in loaded.repairs] == [repair.digest]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_the_checkpoint_is_the_model_in_memory_bit_for_bit(
    name: str, kind: ReplacementKind, tmp_path: Path
) -> None:
    decoder, ids = tiny(name), token_ids(2, 11)
    repair = repair_of(decoder, fit(decoder, kind, steps=2))
    result = save(decoder, REMOVED, tmp_path / "out", (repair,))
    assert result.layout == "depthkit"
    model = reload(tmp_path / "out", trust_remote_code=True)
    with removed(Subnetwork(decoder, REMOVED, (repair,))):
        assert torch.equal(logits(model, ids), logits(decoder.model, ids))
        expected = greedy(decoder.model, ids[:1], cache=DynamicCache())
    assert greedy(model, ids[:1]) == expected


def test_what_means_nothing_is_refused() -> None:
    decoder = tiny("llama")
    for options, why in (
        (ReplacementBlockOptions(kind="swiglu"), "means nothing until it is trained"),
        (ReplacementBlockOptions(width=8, training=SHORT), "has the width of the one it starts from"),
    ):
        with pytest.raises(DepthkitError, match=why) as caught:
            fit_replacement_block(options, ignore, base_of(decoder), Unattended())
        assert caught.value.code == "INVALID_ARGUMENT"
    sublayer = base_of(decoder, (Unit("attention", 3),), on=corpus())
    with pytest.raises(DepthkitError, match=r"attention\.3 went alone"):
        fit_replacement_block(
            ReplacementBlockOptions(kind="swiglu", training=SHORT),
            ignore,
            sublayer,
            Unattended(),
        )
