"""Generation with a cache against computing the whole text anew for every token."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from depthkit_worker.contract.wire import GenerateOptions, Generation, ModelOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.generation import generate
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.load import load_model
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.repair import BlockEdit, Repair
from depthkit_worker.session.job import Unattended, cancelled
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from tiny import FAMILY_MODELS, t_llama, tiny_model

PROMPT = "t7 t30 t11 t54 t80 t4 t66"
REMOVALS: dict[str, tuple[Unit, ...]] = {
    "nothing": (),
    "block-0-attention": (Unit("attention", 0),),
    "mixed": (Unit("block", 0), Unit("attention", 2), Unit("feed-forward", 3)),
    "every-attention": tuple(Unit("attention", index) for index in range(6)),
}


def write(
    decoder: Decoder, options: GenerateOptions, units: tuple[Unit, ...] = (), prompt: str = PROMPT
) -> Generation:
    return generate(Subnetwork(decoder, units), [prompt], options, Unattended()).generations[0]


def anew(decoder: Decoder, units: tuple[Unit, ...], prompt_ids: list[int], length: int) -> tuple[int, ...]:
    ids = list(prompt_ids)
    with removed(Subnetwork(decoder, units)):
        while len(ids) < len(prompt_ids) + length:
            logits = decoder.model(input_ids=torch.tensor([ids]), use_cache=False).logits
            ids.append(int(logits[0, -1].argmax()))
            if ids[-1] == decoder.config.eos_token_id:
                break
    return tuple(ids[len(prompt_ids) :])


@pytest.mark.parametrize("removal", REMOVALS)
@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_cached_ids_are_those_of_full_recomputation(
    name: str, removal: str, words: PreTrainedTokenizerBase
) -> None:
    decoder = Decoder(tiny_model(name), words)
    units = REMOVALS[removal]
    cached = write(decoder, GenerateOptions(max_new_tokens=8), units)
    assert cached.token_ids == anew(decoder, units, words(PROMPT)["input_ids"], 8)


def test_run1_greedy_with_cache_is_greedy_without(smollm2_tokenizer: PreTrainedTokenizerBase) -> None:
    decoder = Decoder(t_llama(), smollm2_tokenizer)
    units = (Unit("block", 2),)
    results = [
        write(decoder, GenerateOptions(max_new_tokens=32, cache=cache), units, "Hello there")
        for cache in (True, False)
    ]
    assert results[0] == results[1]
    assert len(results[0].token_ids) == 32 or results[0].finish == "end-of-text"


def test_a_removed_attention_has_no_keys_and_values(words: PreTrainedTokenizerBase) -> None:
    decoder = Decoder(tiny_model("llama"), words)
    units = (Unit("attention", 0), Unit("block", 3), Unit("feed-forward", 4))
    sizes = [
        generate(
            Subnetwork(decoder, left_out), [], GenerateOptions(max_new_tokens=1), Unattended()
        ).kv_bytes_per_token
        for left_out in ((), units)
    ]
    # 2 KV heads of 8 numbers, keys and values, 4 bytes each, in 6 and in 4 blocks.
    assert sizes == [6 * 2 * 2 * 8 * 4, 4 * 2 * 2 * 8 * 4]


def test_a_block_in_a_removed_ones_place_has_keys_and_values(words: PreTrainedTokenizerBase) -> None:
    decoder = Decoder(tiny_model("llama"), words)
    units = (Unit("block", 2), Unit("block", 3))
    block = copy.deepcopy(decoder.blocks[2])
    repair = Repair("replacement-block", units, {2: BlockEdit(replacement=block)}, "")
    result = generate(
        Subnetwork(decoder, units, (repair,)), [], GenerateOptions(max_new_tokens=1), Unattended()
    )
    assert result.kv_bytes_per_token == 5 * 2 * 2 * 8 * 4


def test_sampling_is_the_seeds(words: PreTrainedTokenizerBase) -> None:
    decoder = Decoder(tiny_model("llama"), words)
    first, again, other = (
        write(decoder, GenerateOptions(max_new_tokens=12, temperature=1.5, seed=seed)) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.token_ids != other.token_ids
    greedy = write(decoder, GenerateOptions(max_new_tokens=12))
    assert write(decoder, GenerateOptions(max_new_tokens=12, temperature=1.0, top_p=1e-6)) == greedy


def test_sampling_leaves_the_random_state_of_others_alone(words: PreTrainedTokenizerBase) -> None:
    decoder = Decoder(tiny_model("llama"), words)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    write(decoder, GenerateOptions(max_new_tokens=3, temperature=1.0))
    assert torch.equal(torch.rand(1), expected)


def test_a_text_ends_before_a_stop_string(words: PreTrainedTokenizerBase) -> None:
    decoder = Decoder(tiny_model("llama"), words)
    free = write(decoder, GenerateOptions(max_new_tokens=8))
    third = f"t{free.token_ids[2]}"
    stopped = write(decoder, GenerateOptions(max_new_tokens=8, stop=(third,)))
    assert stopped.finish == "stop"
    assert third not in stopped.text
    assert free.text.startswith(stopped.text)
    assert len(stopped.token_ids) <= 3


def test_the_shipped_sampling_defaults_stay_out_of_it(words: PreTrainedTokenizerBase) -> None:
    decoder = Decoder(tiny_model("llama"), words)
    greedy = write(decoder, GenerateOptions(max_new_tokens=8))
    shipped = decoder.model.generation_config
    shipped.update(do_sample=True, temperature=5.0, repetition_penalty=9.0)
    assert write(decoder, GenerateOptions(max_new_tokens=8)) == greedy
    assert decoder.model.generation_config is shipped


def test_a_cancel_ends_generation_and_leaves_the_model_whole(words: PreTrainedTokenizerBase) -> None:
    class ThreeTokens(Unattended):
        seen = 0

        def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
            self.seen = done

        def check(self) -> None:
            if self.seen >= 3:
                raise cancelled()

    decoder = Decoder(tiny_model("llama"), words)
    modules, job = list(decoder.model.named_modules()), ThreeTokens()
    with pytest.raises(DepthkitError, match="cancelled"):
        generate(Subnetwork(decoder, (Unit("block", 1),)), [PROMPT], GenerateOptions(max_new_tokens=50), job)
    assert job.seen == 3
    assert list(decoder.model.named_modules()) == modules


@pytest.mark.parametrize(
    "options",
    [
        GenerateOptions(max_new_tokens=1, chat=True),
        GenerateOptions(max_new_tokens=300),
    ],
)
def test_what_cannot_be_done_is_refused_first(
    options: GenerateOptions, words: PreTrainedTokenizerBase
) -> None:
    decoder = Decoder(tiny_model("llama"), words)
    with pytest.raises(DepthkitError) as failure:
        write(decoder, options)
    assert failure.value.code == "INVALID_ARGUMENT"


def test_the_bundled_model_answers_in_its_chat_template(bundled_model: Path) -> None:
    options = ModelOptions(device="cpu")
    decoder = load_model(str(bundled_model), bundled_model.parent, options, Unattended())
    answer = write(
        decoder, GenerateOptions(max_new_tokens=24, chat=True), prompt="What is the capital of France?"
    )
    assert "Paris" in answer.text
    assert "<|im_end|>" not in answer.text
    assert write(decoder, GenerateOptions(max_new_tokens=1), (Unit("block", 12),), "One two three").token_ids
