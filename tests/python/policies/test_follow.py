"""A live model under a policy against the same policy written down token for token, in every family."""

from __future__ import annotations

import pytest
import torch
from torch import LongTensor, Tensor

from depthkit_worker.contract.wire import (
    FeedForwardSkipping,
    FixedSkipping,
    Policy,
    PromptSkipping,
    RandomSkipping,
)
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.stepper import Stepper, pad_left
from depthkit_worker.models.stream_updates import Constant
from depthkit_worker.models.units import Unit
from depthkit_worker.policies.follow import following
from depthkit_worker.repair.repair import BlockEdit, Repair
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from policies.by_hand import by_cosine, by_lot, middling, replayed
from tiny import DEPTH, FAMILY_MODELS, tiny_model, token_ids

IDS = token_ids(2, 13)
ROWS = [token_ids(1, length, seed=length)[0].tolist() for length in (3, 11, 7)]
WRITTEN = [5, 33, 80, 12, 61, 9]


def skipping(threshold: float, run: int = 2, warm_up: int = 3, start: int = 1, end: int = 6) -> Policy:
    return FeedForwardSkipping(start=start, end=end, threshold=threshold, run=run, warm_up=warm_up)


def under(policy: Policy, decoder: Decoder, ids: LongTensor = IDS, units: tuple[Unit, ...] = ()) -> Tensor:
    with torch.no_grad(), following(Subnetwork(decoder, units), policy):
        return replayed(decoder, ids)


def dense(decoder: Decoder, ids: LongTensor = IDS) -> Tensor:
    with torch.no_grad():
        return replayed(decoder, ids)


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_above_one_nothing_is_skipped_and_the_model_is_the_dense_one_bit_for_bit(name: str) -> None:
    decoder = Decoder(tiny_model(name))
    assert torch.equal(under(skipping(1.0001), decoder), dense(decoder))


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_each_token_skips_what_the_formula_says(name: str) -> None:
    decoder = Decoder(tiny_model(name))
    policy = FeedForwardSkipping(start=1, end=6, threshold=middling(decoder, IDS), run=2, warm_up=3)
    with torch.no_grad():
        expected, skipped = by_cosine(decoder, IDS, policy)
        with following(Subnetwork(decoder), policy) as follower:
            found = replayed(decoder, IDS)
    assert follower is not None
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)
    skips = follower.skips()
    assert 0 < int(skipped.sum()) < skipped[1:, :, 3:].numel()
    assert skips.share == pytest.approx(float(skipped.float().mean()))
    assert skips.share_of_candidates == pytest.approx(float(skipped[1:, :, 3:].float().mean()))
    assert skips.by_block == pytest.approx(skipped.float().mean((1, 2)).tolist())
    assert skips.by_position == pytest.approx(skipped.float().mean((0, 1)).tolist())
    assert skips.tokens == IDS.numel()


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_at_minus_one_with_a_long_run_it_is_the_static_mask(name: str) -> None:
    decoder = Decoder(tiny_model(name))
    # Block 1 runs, as it has to be seen once; what is behind it is skipped.
    units = tuple(Unit("feed-forward", index) for index in range(2, 5))
    with torch.no_grad(), removed(Subnetwork(decoder, units)):
        expected = replayed(decoder, IDS)
    assert torch.equal(under(skipping(-1, run=9, warm_up=0, end=5), decoder), expected)
    assert torch.equal(under(FixedSkipping(blocks=(2, 3, 4), warm_up=0), decoder), expected)


def test_with_a_warm_up_it_is_the_mask_behind_it() -> None:
    decoder = Decoder(tiny_model("llama"))
    masked = under(FixedSkipping(blocks=(2, 3, 4, 5), warm_up=4), decoder)
    assert torch.equal(under(skipping(-1, run=9, warm_up=4), decoder), masked)
    # The warm-up's own logits, which see nothing behind it, are the dense model's.
    torch.testing.assert_close(masked[:, :4], dense(decoder)[:, :4], atol=1e-5, rtol=0)
    assert not torch.allclose(masked[:, 4:], dense(decoder)[:, 4:], atol=1e-3)


def policies(decoder: Decoder) -> list[Policy]:
    return [
        FeedForwardSkipping(start=1, end=6, threshold=middling(decoder, IDS), run=1, warm_up=2),
        RandomSkipping(start=1, end=6, share=0.5, seed=3, warm_up=2),
        FixedSkipping(blocks=(4, 1), warm_up=2),
    ]


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_a_longer_text_has_the_same_decisions_at_its_beginning(name: str) -> None:
    decoder = Decoder(tiny_model(name))
    for policy in policies(decoder):
        shorter = under(policy, decoder, IDS[:, :8])  # type: ignore[arg-type]
        torch.testing.assert_close(shorter, under(policy, decoder)[:, :8], atol=2e-5, rtol=0)


def stepped(decoder: Decoder, policy: Policy, rows: list[list[int]], units: tuple[Unit, ...] = ()) -> Tensor:
    """(rows, steps + 1, vocabulary): of padded prompts, and behind each token written."""
    with following(Subnetwork(decoder, units), policy):
        stepper = Stepper(decoder)
        logits = [stepper.begin(pad_left(rows))]
        logits += [stepper.step(torch.full((len(rows),), token)) for token in WRITTEN]
    return torch.stack(logits, 1)


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_decoding_with_a_cache_in_a_padded_batch_is_the_whole_text_anew(name: str) -> None:
    decoder = Decoder(tiny_model(name))
    for policy in policies(decoder):
        together = stepped(decoder, policy, ROWS)
        for row, logits in zip(ROWS, together, strict=True):
            ids = torch.tensor([row + WRITTEN])
            anew = under(policy, decoder, ids)[0, len(row) - 1 :]  # type: ignore[arg-type]
            torch.testing.assert_close(logits, anew, atol=5e-5, rtol=0)


def test_pads_are_not_counted() -> None:
    decoder = Decoder(tiny_model("llama"))
    policy = FixedSkipping(blocks=(2,), warm_up=0)
    with following(Subnetwork(decoder), policy) as follower:
        Stepper(decoder).begin(pad_left(ROWS))
    assert follower is not None
    skips = follower.skips()
    assert skips.tokens == sum(map(len, ROWS))
    assert list(skips.by_block) == [0, 0, 1, 0, 0, 0]
    assert skips.share == pytest.approx(1 / DEPTH)


def test_lots_hang_on_block_place_and_seed_and_come_at_their_share() -> None:
    decoder = Decoder(tiny_model("llama"))
    ids = token_ids(1, 200)
    shares = []
    for seed in range(3):
        policy = RandomSkipping(start=0, end=6, share=0.3, seed=seed, warm_up=20)
        expected, skipped = by_lot(decoder, ids, policy)
        torch.testing.assert_close(under(policy, decoder, ids), expected, atol=2e-5, rtol=0)
        assert not skipped[:, :, :20].any()
        assert not torch.equal(skipped[0], skipped[1])
        shares.append(skipped[:, :, 20:])
        # 1,080 draws: four standard errors.
        assert float(shares[-1].float().mean()) == pytest.approx(0.3, abs=0.056)
    assert not torch.equal(shares[0], shares[1])


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_a_prompt_passes_deep_blocks_by_and_what_is_written_has_them(name: str) -> None:
    decoder = Decoder(tiny_model(name))
    units = (Unit("feed-forward", 3),)
    policy = PromptSkipping(start=2, end=5)
    together = stepped(decoder, policy, ROWS, units)
    for row, logits in zip(ROWS, together, strict=True):
        ids = torch.tensor([row + WRITTEN])
        replay = decoder.begin(ids)  # type: ignore[arg-type]
        hidden = replay.hidden
        with torch.no_grad(), removed(Subnetwork(decoder, units)):
            for index in range(decoder.depth):
                behind = decoder.run_block(index, hidden, replay)
                if policy.start <= index < policy.end:
                    # Its attention has seen them in the stream that passes by.
                    behind[:, : len(row) - 1] = hidden[:, : len(row) - 1]
                hidden = behind
            expected = decoder.logits(hidden, replay)[0, len(row) - 1 :]
        torch.testing.assert_close(logits, expected, atol=5e-5, rtol=0)


def test_a_policy_sits_on_removed_units_and_repairs() -> None:
    decoder = Decoder(tiny_model("llama"))
    units = (Unit("block", 2), Unit("attention", 4))
    torch.manual_seed(0)
    edit = BlockEdit(after=Constant(torch.randn(32)))
    subnetwork = Subnetwork(decoder, units).repaired(Repair("bias", units[:1], {2: edit}, "0" * 64))
    with torch.no_grad():
        with removed(subnetwork):
            expected = replayed(decoder, IDS)
        with following(subnetwork, skipping(1.5)) as follower:
            assert torch.equal(replayed(decoder, IDS), expected)
        with following(subnetwork, FixedSkipping(blocks=(3,), warm_up=0)) as follower:
            found = replayed(decoder, IDS)
        again = Subnetwork(decoder, (*units, Unit("feed-forward", 3)), subnetwork.repairs)
        with removed(again):
            assert torch.equal(found, replayed(decoder, IDS))
    assert follower is not None
    # Of the five feed-forwards that are there.
    assert follower.skips().share == pytest.approx(1 / 5)


@pytest.mark.parametrize("name", ["llama", "opt", "bloom", "falcon-parallel"])
def test_the_model_is_whole_again_afterwards_also_after_a_failure(name: str) -> None:
    decoder = Decoder(tiny_model(name))
    expected = dense(decoder)
    policy = policies(decoder)[0]
    under(policy, decoder)
    assert torch.equal(dense(decoder), expected)
    with pytest.raises(IndexError), following(Subnetwork(decoder), policy):
        decoder.begin(torch.tensor([[10_000]]))  # type: ignore[arg-type]
    assert torch.equal(dense(decoder), expected)
    hooks = [len(block._forward_hooks) + len(block._forward_pre_hooks) for block in decoder.model.modules()]
    assert not any(hooks)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (skipping(0.5, start=3, end=3), "from 3 .* up to 3"),
        (skipping(0.5, end=7), "the model has 6"),
        (FixedSkipping(blocks=(1, 1)), "each once"),
        (FixedSkipping(blocks=(6,)), "from 0 to 5"),
        (FixedSkipping(blocks=(2,)), "all removed"),
    ],
)
def test_blocks_that_are_not_there_are_refused(policy: Policy, words: str) -> None:
    decoder = Decoder(tiny_model("llama"))
    gone = Subnetwork(decoder, (Unit("feed-forward", 2),))
    with pytest.raises(DepthkitError, match=words), following(gone, policy):
        pass
