"""Static influence against brute force in fp64, reference figures and the cases of other tools."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import LlamaConfig

from data.resources import golden, shared, smollm2
from depthkit_worker.contract.wire import CorpusOptions, FileSource, InfluenceOptions
from depthkit_worker.data.corpus import Corpus, make_corpus
from depthkit_worker.data.text import read_texts
from depthkit_worker.data.tokens import tokeniser_of
from depthkit_worker.errors import DepthkitError
from depthkit_worker.influence.angular import angular_distances
from depthkit_worker.influence.per_token import token_influences
from depthkit_worker.influence.static import Influence, static_influence
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.split import BlockStates
from depthkit_worker.models.units import UNIT_KINDS, Unit
from depthkit_worker.session.job import Unattended, cancelled
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from influence.builders import corpus_of, llama, random_rows, tiny
from tiny import SHAPE, random_model

BLOCK, ATTENTION, FEED_FORWARD = range(3)
COSINE, L1, L2, RELATIVE_L1, RELATIVE_L2 = range(5)


def measure(decoder: Decoder, corpus: Corpus, **options: object) -> Influence:
    given = InfluenceOptions(**{"batch_size": 1, **options})  # type: ignore[arg-type]
    return static_influence(decoder, corpus, given, Unattended())


def by_hand(x_in: NDArray[np.floating], x_out: NDArray[np.floating]) -> NDArray[np.floating]:
    """The formulas of methods.md as they stand there, (metrics, tokens) from (tokens, hidden)."""
    d1, o1 = (np.abs(v).sum(-1) for v in (x_out - x_in, x_out))
    d2, o2 = (np.sqrt((v * v).sum(-1)) for v in (x_out - x_in, x_out))
    cosine = (x_in * x_out).sum(-1) / np.linalg.norm(x_in, axis=-1) / o2
    return np.stack([1 - cosine, d1, d2, d1 / o1, d2 / o2])


def streams(decoder: Decoder, row: list[int]) -> NDArray[np.float64]:
    """The residual stream at every depth, (depth + 1, tokens, hidden), from hooks on a plain forward."""
    seen: list[torch.Tensor] = []
    hooks = [
        block.register_forward_pre_hook(lambda _m, args: seen.append(args[0])) for block in decoder.blocks
    ]
    hooks.append(
        decoder.blocks[-1].register_forward_hook(
            lambda _m, _a, out: seen.append(out[0] if isinstance(out, tuple) else out)
        )
    )
    decoder.model(torch.tensor([row]))
    for hook in hooks:
        hook.remove()
    return torch.stack(seen)[:, 0].double().numpy()


@pytest.mark.parametrize(
    "name", ["llama", "gpt2", "gpt_neox", "gpt_neox-parallel", "falcon-parallel", "bloom"]
)
def test_blocks_and_angles_match_a_plain_forward_in_fp64(name: str) -> None:
    decoder, rows = tiny(name), random_rows(17, 17, 17)
    result = measure(decoder, corpus_of(rows), batch_size=2, angular_tokens="all")
    states = [streams(decoder, row) for row in rows]
    each = np.array([[by_hand(s[i], s[i + 1]).mean(-1) for i in range(decoder.depth)] for s in states])
    np.testing.assert_allclose(result.values[BLOCK], each.mean(0).T, rtol=2e-5)
    error = each.std(0, ddof=1).T / math.sqrt(len(rows))
    np.testing.assert_allclose(result.standard_errors[BLOCK], error, rtol=2e-3)

    everything = np.concatenate(states, axis=1)
    directions = everything / np.linalg.norm(everything, axis=-1, keepdims=True)
    last = measure(decoder, corpus_of(rows))
    for n in range(1, decoder.depth + 1):
        for start in range(decoder.depth):
            if start + n > decoder.depth:
                assert result.angular[n - 1, start] == 0
                continue
            angles = np.arccos((directions[start] * directions[start + n]).sum(-1)) / np.pi
            assert result.angular[n - 1, start] == pytest.approx(angles.mean(), rel=1e-6)
            assert last.angular[n - 1, start] == pytest.approx(angles[[16, 33, 50]].mean(), rel=1e-6)


@pytest.mark.parametrize("angular_tokens", ["last", "all"])
def test_cosines_between_boundaries_are_means_over_all_tokens(angular_tokens: str) -> None:
    decoder, rows = tiny("llama"), random_rows(17, 9, 12)
    result = measure(decoder, corpus_of(rows), batch_size=2, cosines=True, angular_tokens=angular_tokens)
    plain = measure(decoder, corpus_of(rows), batch_size=2, angular_tokens=angular_tokens)
    everything = np.concatenate([streams(decoder, row) for row in rows], axis=1)
    directions = everything / np.linalg.norm(everything, axis=-1, keepdims=True)
    expected = np.einsum("ith,jth->ij", directions, directions) / directions.shape[1]
    assert result.cosines is not None and plain.cosines is None
    np.testing.assert_allclose(result.cosines, expected, rtol=1e-6)
    np.testing.assert_allclose(1 - np.diagonal(result.cosines, 1), result.values[BLOCK, COSINE], rtol=1e-4)
    torch.testing.assert_close(result.angular, plain.angular, rtol=0, atol=1e-12)


@pytest.mark.parametrize("parallel", [False, True])
def test_met5_sublayers_read_what_the_wiring_says(parallel: bool) -> None:
    decoder, row = tiny("gpt_neox-parallel" if parallel else "gpt_neox"), random_rows(12)[0]
    updates: dict[str, torch.Tensor] = {}
    block = decoder.blocks[2]
    hooks = [
        block.get_submodule("attention").register_forward_hook(lambda _m, _a, out: updates.update(a=out[0])),
        block.get_submodule("mlp").register_forward_hook(lambda _m, _a, out: updates.update(f=out)),
    ]
    x = streams(decoder, row)[2]
    for hook in hooks:
        hook.remove()
    a, f = (updates[name][0].double().numpy() for name in "af")
    result = measure(decoder, corpus_of([row]))
    before = x if parallel else x + a
    np.testing.assert_allclose(result.values[ATTENTION, :, 2], by_hand(x, x + a).mean(-1), rtol=2e-5)
    np.testing.assert_allclose(
        result.values[FEED_FORWARD, :, 2], by_hand(before, before + f).mean(-1), rtol=2e-5
    )


@pytest.mark.parametrize("identity", [(5,), (2, 3)])
def test_met1_an_identity_block_has_no_influence(identity: tuple[int, ...]) -> None:
    result = measure(
        llama(identity=identity), corpus_of(random_rows(40, 40)), batch_size=2, angular_tokens="all"
    )
    for index in identity:
        assert (result.values[:, [L1, L2, RELATIVE_L1, RELATIVE_L2], index] == 0).all()
        assert (result.values[:, COSINE, index] < 1e-6).all()
        assert result.angular[0, index] < 1e-6
    for metric in range(5):
        order = result.values[BLOCK, metric].argsort().tolist()
        assert set(order[: len(identity)]) == set(identity)
    assert result.angular[len(identity) - 1].ne(0).any()
    span = result.angular[len(identity) - 1, : 7 - len(identity)]
    assert span.argmin() == identity[0] and span.min() < 1e-6


@pytest.mark.parametrize("name", ["llama", "gpt2"])
@pytest.mark.parametrize("skip", [0, 3])
def test_met3_pads_never_count(name: str, skip: int) -> None:
    decoder, rows = tiny(name), random_rows(7, 40, 200)
    together = measure(decoder, corpus_of(rows), batch_size=3, angular_tokens="all", skip_first_tokens=skip)
    alone = [measure(decoder, corpus_of([row]), angular_tokens="all", skip_first_tokens=skip) for row in rows]
    tokens = [len(row) - skip for row in rows]
    assert together.tokens == sum(tokens) and together.sequences == 3
    for field in ("values", "angular"):
        mean = sum(getattr(one, field) * n for one, n in zip(alone, tokens, strict=True)) / sum(tokens)
        torch.testing.assert_close(getattr(together, field), mean, rtol=1e-5, atol=1e-7)
    last = measure(decoder, corpus_of(rows), batch_size=3)
    singles = [measure(decoder, corpus_of([row])).angular for row in rows]
    torch.testing.assert_close(last.angular, torch.stack(singles).mean(0), rtol=1e-5, atol=1e-7)


def test_skipped_tokens_still_stand_before_the_others() -> None:
    decoder, row = llama(), random_rows(12)[0]
    states = streams(decoder, row)
    result = measure(decoder, corpus_of([row]), skip_first_tokens=4)
    np.testing.assert_allclose(
        result.values[BLOCK, :, 1], by_hand(states[1, 4:], states[2, 4:]).mean(-1), rtol=2e-5
    )
    assert torch.isnan(result.standard_errors).all()  # one sequence
    with pytest.raises(DepthkitError) as caught:
        measure(decoder, corpus_of([row]), skip_first_tokens=12)
    assert caught.value.code == "INVALID_ARGUMENT"


def test_a_sequence_that_is_skipped_whole_is_no_sequence() -> None:
    decoder, (short, longer) = llama(), random_rows(3, 12)
    both = measure(decoder, corpus_of([short, longer]), batch_size=2, skip_first_tokens=4)
    alone = measure(decoder, corpus_of([longer]), skip_first_tokens=4)
    assert (both.sequences, both.tokens) == (1, 8)
    torch.testing.assert_close(both.values, alone.values, rtol=1e-5, atol=0)
    torch.testing.assert_close(both.angular, alone.angular, rtol=1e-5, atol=1e-9)


def test_nan_is_an_error_that_names_where_it_starts() -> None:
    with pytest.raises(DepthkitError) as caught:
        measure(llama(nan_block=2), corpus_of(random_rows(9, 9)), batch_size=2)
    assert caught.value.code == "NOT_MEASURABLE" and caught.value.details["unit"] == "feed-forward.2"


RATIOS = [10.0**power for power in range(-12, 13, 3)]
ANGLES = [0.0, 1e-7, 1e-3, 1.0, 2.0, math.pi]
"""Between the two ends of a unit: the same direction, nearly, apart, and opposite."""


def ends(ratio: float, angle: float, size: float, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """x_in of length `size` and x_out of `ratio` times that at `angle`: (2, 80, hidden) each, more than one
    piece."""
    generator = torch.Generator().manual_seed(3)
    one, other = torch.randn(2, 2, 80, 1024, generator=generator, dtype=torch.float64)
    one /= one.norm(dim=-1, keepdim=True)
    other -= (other * one).sum(-1, keepdim=True) * one
    other /= other.norm(dim=-1, keepdim=True)
    x_out = ratio * (math.cos(angle) * one + math.sin(angle) * other)
    return (size * one).to(dtype), (size * x_out).to(dtype)


@pytest.mark.parametrize(
    ("size", "dtype"), [(1.0, torch.float32), (1e-18, torch.float32), (1e22, torch.bfloat16)]
)
@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize("ratio", RATIOS)
def test_every_metric_at_any_ratio_of_norms_is_that_of_wide_numbers(
    ratio: float, angle: float, size: float, dtype: torch.dtype
) -> None:
    x_in, x_out = ends(ratio, angle, size, dtype)
    states = BlockStates(
        x_in=x_in, attention_out=x_out, feed_forward_in=x_in, feed_forward_out=x_out, x_out=x_out
    )
    found = token_influences(states)
    # 64 bits of mantissa: the reference's own 1 - cos is good to 1e-18.
    wide_in, wide_out = (state.double().numpy().astype(np.longdouble) for state in (x_in, x_out))
    expected = by_hand(wide_in, wide_out).astype(np.float64)
    for kind in found.numpy():
        np.testing.assert_allclose(kind[COSINE], expected[COSINE], rtol=1e-6, atol=1e-15)
        np.testing.assert_allclose(kind[L1:], expected[L1:], rtol=1e-6)
        assert (kind[COSINE] >= 0).all() and (kind[COSINE] <= 2).all()
    angles = np.arccos(np.clip(1 - expected[COSINE], -1, 1)) / np.pi
    both = torch.stack([x_in.flatten(0, 1), x_out.flatten(0, 1)])
    assert float(angular_distances(both)[0, 1]) / 160 == pytest.approx(angles.mean(), abs=1e-7)


def test_a_zero_vector_has_no_direction_for_any_metric_of_angles() -> None:
    zero, some = torch.zeros(1, 2, 8), torch.ones(1, 2, 8)
    for x_in, x_out, expected in ((zero, zero, 0.0), (zero, some, 1.0), (some, zero, 1.0), (some, some, 0.0)):
        states = BlockStates(
            x_in=x_in, attention_out=x_out, feed_forward_in=x_in, feed_forward_out=x_out, x_out=x_out
        )
        found = token_influences(states)
        assert (found[:, COSINE] == expected).all()
        angle = float(angular_distances(torch.cat([x_in, x_out]))[0, 1]) / 2
        assert angle == pytest.approx(expected / 2, abs=1e-7)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_an_embedding_of_another_scale_is_measured_as_in_fp64(scale: float) -> None:
    model = random_model(LlamaConfig(**SHAPE))
    model.model.embed_tokens.weight.mul_(scale)
    wide = copy.deepcopy(model).double()
    rows = random_rows(9, 9)
    found, expected = (measure(Decoder(one), corpus_of(rows)) for one in (model, wide))
    # The first block sees the ratio; what a block computes in fp32 is only as good as fp32.
    np.testing.assert_allclose(found.values[:, COSINE], expected.values[:, COSINE], rtol=1e-5, atol=1e-6)
    if scale < 1:
        assert 0.5 < float(found.values[BLOCK, COSINE, 0]) < 1.5


def test_half_precision_is_measured_in_double() -> None:
    decoder, rows = llama(dtype=torch.bfloat16), random_rows(30)
    result = measure(decoder, corpus_of(rows))
    states = streams(decoder, rows[0])
    np.testing.assert_allclose(
        result.values[BLOCK],
        np.array([by_hand(states[i], states[i + 1]).mean(-1) for i in range(6)]).T,
        rtol=1e-5,
    )


def test_removed_units_move_nothing() -> None:
    decoder = llama()
    with removed(Subnetwork(decoder, (Unit("block", 1), Unit("attention", 3)))):
        result = measure(decoder, corpus_of(random_rows(9)))
    assert (result.values[:, :, 1] == 0).all() and (result.values[ATTENTION, :, 3] == 0).all()
    assert (result.values[FEED_FORWARD, :, 3] > 0).all()


def test_a_cancel_is_obeyed_between_blocks_and_leaves_no_hook() -> None:
    class Impatient(Unattended):
        left = 3

        def check(self) -> None:
            self.left -= 1
            if self.left == 0:
                raise cancelled()

    decoder = llama()
    with pytest.raises(DepthkitError, match="cancelled"):
        static_influence(decoder, corpus_of(random_rows(9)), InfluenceOptions(batch_size=1), Impatient())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in decoder.model.modules())


def test_smollm2_matches_the_reference_figures(bundled_model: Path) -> None:
    expected = golden("smollm2.json")["influence_8x128"]
    decoder, job = smollm2(bundled_model), Unattended()
    assert decoder.tokenizer is not None
    texts = read_texts(FileSource(files=(str(shared() / "data/calib_wikitext2_train.jsonl"),)), job)
    corpus = make_corpus(tokeniser_of(decoder), texts, CorpusOptions(length=128, sequences=8), job)
    assert corpus.ids[:16].tolist() == expected["first_ids"] and not corpus.info.bos_added
    for tokens in ("last", "all"):
        result = measure(decoder, corpus, batch_size=4, angular_tokens=tokens)
        for n, row in expected[f"angular_{tokens}"].items():
            np.testing.assert_allclose(result.angular[int(n) - 1, : len(row)], row, rtol=1e-4)
    for k, kind in enumerate(UNIT_KINDS):
        for m, metric in enumerate(result.metrics):
            np.testing.assert_allclose(
                result.values[k, m], [unit[metric] for unit in expected[kind]], rtol=1e-4
            )
