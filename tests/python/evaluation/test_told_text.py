"""Text that is told as it is written: pieces that stand, and that come to the whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import pytest
from transformers import PreTrainedTokenizerBase

from data.builders import byte_level
from depthkit_worker.contract.wire import GenerateOptions
from depthkit_worker.evaluation.generation import generate
from depthkit_worker.evaluation.told_text import ToldText
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from tiny import tiny_model

PROMPTS = ["t7 t30 t11", "t54", "t80 t4 t66 t9 t10 t40 t41"]


@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.parametrize("stops", [False, True])
def test_pieces_come_as_they_are_written_and_are_the_text(
    batch_size: int, stops: bool, words: PreTrainedTokenizerBase
) -> None:
    subnetwork = Subnetwork.dense(Decoder(tiny_model("llama"), words))
    free = generate(subnetwork, PROMPTS, GenerateOptions(max_new_tokens=8), Unattended()).generations
    third = f"t{free[0].token_ids[2]} t{free[0].token_ids[3]}"
    options = GenerateOptions(max_new_tokens=8, batch_size=batch_size, stop=(third,) if stops else ())
    pieces: dict[int, list[str]] = defaultdict(list)
    order: list[int] = []

    def tell(prompt: int, at: int, text: str) -> None:
        assert at == sum(map(len, pieces[prompt]))
        pieces[prompt].append(text)
        order.append(prompt)

    result = generate(subnetwork, PROMPTS, options, Unattended(), tell=tell)
    assert ["".join(pieces[place]) for place in range(3)] == [one.text for one in result.generations]
    assert len(pieces[1]) == 8
    assert (result.generations[0].finish == "stop") is stops
    if batch_size == 1:
        assert order == sorted(order)
    else:
        # The longest two are a batch, told in turn.
        assert order[:2] in ([2, 0], [0, 2])


def told(steps: Sequence[str], stop: tuple[str, ...] = ()) -> list[str]:
    found: list[str] = []
    text = ToldText(lambda ids: steps[len(ids) - 1], stop, lambda _place, _at, piece: found.append(piece))
    for count in range(1, len(steps) + 1):
        text.grow(0, [0] * count)
    return found


def test_what_the_next_token_may_change_is_kept_back() -> None:
    assert told(["so ", "so \n", "so \n on"]) == ["so", " \n on"]
    # A tokenizer that cleans up takes the space away again.
    assert told(["one ", "one.", "one. Two"]) == ["one", ".", " Two"]
    assert told(["a E", "a EN", "a END of it"], ("END",)) == ["a", " "]
    assert told(["a E", "a EN", "a ENough"], ("END",)) == ["a", " ENough"]
    # Rewritten altogether: nothing is told that does not go on from what was.
    assert told(["one", "own", "one more"]) == ["one", " more"]


def test_a_character_of_several_bytes_is_told_whole() -> None:
    tokenizer = byte_level()
    ids = tokenizer("caf\u00e9 \U0001f642!")["input_ids"]
    pieces: list[str] = []
    text = ToldText(
        lambda some: str(tokenizer.decode(list(some))), (), lambda _place, _at, piece: pieces.append(piece)
    )
    for count in range(1, len(ids) + 1):
        text.grow(0, ids[:count])
    assert "".join(pieces) == "caf\u00e9 \U0001f642!"
    assert not any("\ufffd" in piece for piece in pieces)
