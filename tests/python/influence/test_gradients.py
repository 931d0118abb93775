"""Gradient influence against central differences, autograd on the model's own forward, and reference
figures."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import LlamaConfig

from data.resources import golden, shared, smollm2
from depthkit_worker.contract.wire import CorpusOptions, FileSource, InfluenceGradientOptions
from depthkit_worker.data.corpus import Corpus, make_corpus
from depthkit_worker.data.text import read_texts
from depthkit_worker.data.tokens import tokeniser_of
from depthkit_worker.errors import DepthkitError
from depthkit_worker.influence.gradients import GradientInfluence, gradient_influence
from depthkit_worker.models.checksum import weights_checksum
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import UNIT_KINDS, Unit
from depthkit_worker.session.job import Unattended, cancelled
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from family_models import MIXTURES, NORMED
from influence.builders import corpus_of, llama, random_rows, tiny
from influence.gates import CURVED, ROWS, gated, loss_of, slope, step_of
from tiny import DEPTH, FAMILY_MODELS, SHAPE, random_model, tiny_model

BLOCK, ATTENTION, FEED_FORWARD = range(3)
TAYLOR, GATE = range(2)


def measure(decoder: Decoder, corpus: Corpus, batch_size: int = 2) -> GradientInfluence:
    return gradient_influence(decoder, corpus, InfluenceGradientOptions(batch_size=batch_size), Unattended())


@pytest.mark.parametrize("name", FAMILY_MODELS)
@torch.no_grad()
def test_gates_are_central_differences_of_the_loss(name: str) -> None:
    wide = name not in MIXTURES  # The library multiplies by experts in fp32 at most.
    decoder = Decoder(random_model(FAMILY_MODELS[name](), dtype=torch.float64 if wide else torch.float32))
    influence = measure(decoder, corpus_of(ROWS))
    assert influence.loss == pytest.approx(float(loss_of(decoder.model)), rel=1e-6)
    step = step_of(name) if wide else 1e-3  # Experts are chosen anew: a step that crosses few turns.
    relative, absolute = (1e-3, 2e-5) if wide else (2e-2, 1e-3)
    relative = 5e-3 if name in CURVED else relative
    for number, kind in enumerate(UNIT_KINDS):
        if kind != "block" and name in NORMED:  # No hook on the sublayer is its gate.
            continue
        for index in (0, 3, DEPTH - 1):

            def loss_at(away: float, kind: str = kind, index: int = index) -> float:
                with gated(decoder, kind, index, 1 + away):
                    return float(loss_of(decoder.model))

            found = float(influence.values[number, GATE, index])
            assert found == pytest.approx(-slope(loss_at, step), rel=relative, abs=absolute), (
                f"{kind}.{index}"
            )


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_taylor_is_autograd_through_the_models_own_forward(name: str) -> None:
    """Mixtures of experts, tied heads and parallel wiring among them."""
    decoder, model = tiny(name), tiny_model(name)
    model.requires_grad_(True)
    torch.autograd.backward(loss_of(model))
    influence = measure(decoder, corpus_of(ROWS))
    family = decoder.family
    own = {"attention": (family.attention,), "feed-forward": family.feed_forward}
    for index, block in enumerate(Decoder(model).blocks):
        for number, kind in enumerate(UNIT_KINDS):
            parameters = [
                parameter
                for child, parameter in block.named_parameters()
                if kind == "block" or child.partition(".")[0] in own[kind]
            ]
            products = [parameter * parameter.grad for parameter in parameters if parameter.grad is not None]
            expected = sum(float(product.abs().sum()) for product in products)
            assert float(influence.values[number, TAYLOR, index]) == pytest.approx(expected, rel=1e-4)
            assert int(influence.weights[number, index]) == sum(parameter.numel() for parameter in parameters)


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_a_pruned_model_is_measured_as_it_runs(name: str) -> None:
    decoder = tiny(name)
    lost = [Unit("block", 1), Unit("attention", 3), Unit("feed-forward", 4)]
    with removed(Subnetwork(decoder, tuple(lost))):
        influence = measure(decoder, corpus_of(ROWS))
        loss = loss_of(decoder.model.requires_grad_(True))
        torch.autograd.backward(loss)
    assert influence.loss == pytest.approx(float(loss.detach()), rel=1e-5)
    for unit in lost:
        assert (influence.values[UNIT_KINDS.index(unit.kind), :, unit.index] == 0).all()
    for index in (0, 2, 3, 4, 5):
        # What is removed ran in neither, and has no gradient.
        products = [
            (each * each.grad).abs() for each in decoder.blocks[index].parameters() if each.grad is not None
        ]
        expected = sum(float(product.detach().sum()) for product in products)
        assert float(influence.values[BLOCK, TAYLOR, index]) == pytest.approx(expected, rel=1e-4), index


@torch.no_grad()
def test_taylor_is_the_sum_of_central_differences_of_every_weight() -> None:
    shape = {
        **SHAPE,
        "hidden_size": 8,
        "intermediate_size": 4,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    decoder = Decoder(random_model(LlamaConfig(**shape, tie_word_embeddings=True), dtype=torch.float64))
    expected = 0.0
    for parameter in decoder.blocks[1].get_submodule("mlp").parameters():
        for number, value in enumerate(parameter.flatten().tolist()):

            def loss_at(away: float, parameter: Tensor = parameter, number: int = number) -> float:
                weights = parameter.view(-1)
                before = weights[number].clone()
                weights[number] += away
                loss = float(loss_of(decoder.model))
                weights[number] = before
                return loss

            expected += abs(value * slope(loss_at, 0.02))
    found = measure(decoder, corpus_of(ROWS)).values[FEED_FORWARD, TAYLOR, 1]
    assert float(found) == pytest.approx(expected, rel=1e-3)


def test_the_batch_size_changes_nothing_and_pads_do_not_count() -> None:
    decoder = tiny("llama")
    one, all_of_them = measure(decoder, corpus_of(ROWS), 1), measure(decoder, corpus_of(ROWS), 3)
    torch.testing.assert_close(one.values, all_of_them.values, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(
        one.standard_errors, all_of_them.standard_errors, rtol=1e-3, atol=1e-7, equal_nan=True
    )
    assert one.tokens == all_of_them.tokens == sum(len(row) - 1 for row in ROWS)
    assert one.values[:, TAYLOR].gt(0).all() and one.standard_errors[:, TAYLOR].isnan().all()


def test_standard_errors_of_gates_are_over_sequences() -> None:
    decoder, rows = tiny("llama"), random_rows(8, 8, 8, 8)
    influence = measure(decoder, corpus_of(rows))
    each = torch.stack([measure(decoder, corpus_of([row])).values[:, GATE] for row in rows])
    torch.testing.assert_close(influence.values[:, GATE], each.mean(0), rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(
        influence.standard_errors[:, GATE], each.std(0) / math.sqrt(4), rtol=1e-4, atol=1e-7
    )


def test_the_model_is_left_as_it_was() -> None:
    decoder = tiny("mixtral")
    decoder.blocks[1].requires_grad_(True)  # Somebody else's, which stays so.
    before = {name: parameter.requires_grad for name, parameter in decoder.model.named_parameters()}
    checksum = weights_checksum(decoder)
    measure(decoder, corpus_of(ROWS))
    assert {name: parameter.requires_grad for name, parameter in decoder.model.named_parameters()} == before
    assert all(parameter.grad is None for parameter in decoder.model.parameters())
    assert weights_checksum(decoder) == checksum
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in decoder.model.modules())


def test_a_unit_that_no_gradient_reaches_is_refused_by_name() -> None:
    decoder = tiny("llama")
    extra = nn.Parameter(torch.ones(3), requires_grad=False)
    decoder.blocks[3].get_submodule("mlp").register_parameter("extra", extra)
    with pytest.raises(DepthkitError, match=r"block\.3: no gradient .* mlp\.extra") as caught:
        measure(decoder, corpus_of(ROWS))
    assert caught.value.code == "NOT_MEASURABLE"


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(DepthkitError, match="NaN or infinite") as caught:
        measure(llama(nan_block=2), corpus_of(ROWS))
    assert caught.value.code == "NOT_MEASURABLE"


def test_a_corpus_without_a_token_to_predict_is_refused() -> None:
    with pytest.raises(DepthkitError, match="longer sequences") as caught:
        measure(tiny("llama"), corpus_of(random_rows(1, 1)))
    assert caught.value.code == "INVALID_ARGUMENT"


def test_a_cancel_is_obeyed_between_blocks() -> None:
    class Impatient(Unattended):
        checks = 0

        def check(self) -> None:
            self.checks += 1
            if self.checks == DEPTH + 3:  # On the way back.
                raise cancelled()

    decoder = tiny("llama")
    with pytest.raises(DepthkitError) as caught:
        gradient_influence(decoder, corpus_of(ROWS), InfluenceGradientOptions(), Impatient())
    assert caught.value.code == "CANCELLED"
    assert not any(parameter.requires_grad for parameter in decoder.model.parameters())


def test_blocks_of_the_bundled_model_are_those_of_the_reference(bundled_model: Path) -> None:
    expected = torch.tensor(golden("smollm2.json")["taylor_block_8x128"], dtype=torch.float64)
    decoder, job = smollm2(bundled_model), Unattended()
    texts = read_texts(FileSource(files=(str(shared() / "data/calib_wikitext2_train.jsonl"),)), job)
    corpus = make_corpus(tokeniser_of(decoder), texts, CorpusOptions(length=128, sequences=8), job)
    found = measure(decoder, corpus, 8)
    torch.testing.assert_close(found.values[BLOCK, TAYLOR], expected, rtol=1e-4, atol=0)
