"""PerplexityResult and loss against closed forms, brute force and reference figures."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from msgspec import convert, to_builtins
from transformers import LlamaConfig, PreTrainedTokenizerBase

from data.builders import TRAINING, byte_level, sentence_piece
from data.resources import golden, shared, smollm2
from depthkit_worker.contract.wire import EngineOptions, FileSource, PerplexityOptions, PerplexityResult
from depthkit_worker.data.stream import TextStream, make_stream
from depthkit_worker.data.text import read_texts, texts_from_strings
from depthkit_worker.data.tokens import Tokeniser, tokeniser_of
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.perplexity import perplexity
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.session.job import Unattended, cancelled
from depthkit_worker.subnetworks import head
from depthkit_worker.subnetworks.engine import evaluate_subnetworks
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.masks import Subnetworks
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from influence.builders import corpus_of, llama, random_rows, tiny
from tiny import SHAPE, random_model

TEXT = "".join(TRAINING) * 32
WIKITEXT = PerplexityOptions(rows="wikitext")


def decoder_for(tokenizer: PreTrainedTokenizerBase, *, uniform: bool = False, limit: int = 4096) -> Decoder:
    """A random Llama with the tokeniser's vocabulary; T-uniform: with a head of zeros."""
    shape = {**SHAPE, "vocab_size": len(tokenizer), "max_position_embeddings": limit}
    if uniform:
        shape["num_hidden_layers"] = 1
    model = random_model(LlamaConfig(**shape))
    if uniform:
        model.lm_head.weight.zero_()
    return Decoder(model, tokenizer)


def stream_of(decoder: Decoder, text: str = TEXT) -> TextStream:
    assert decoder.tokenizer is not None
    return make_stream(tokeniser_of(decoder), texts_from_strings([text]), PerplexityOptions(), Unattended())


def measure(decoder: Decoder, stream: TextStream, *units: Unit, **options: object) -> PerplexityResult:
    given = PerplexityOptions(**{"bos": "never", **options})  # type: ignore[arg-type]
    return perplexity(Subnetwork(decoder, units), stream, given, Unattended())


def dense_loss(decoder: Decoder, rows: list[list[int]]) -> tuple[float, int]:
    """The whole model's loss on sequences of ids, and the tokens predicted."""
    whole = Subnetworks((Unit("block", 0),), np.array([[True]]))
    result = evaluate_subnetworks(
        decoder, corpus_of(rows), whole, ("loss",), EngineOptions(batch_size=3), Unattended()
    )
    return float(result.values[0, 0]), result.counts[0]


def scored(stream: TextStream, result: PerplexityResult, *, bos: bool) -> tuple[int, int]:
    """Words and bytes behind the tokens that each chunk scores: its last stride, or all of the first."""
    words = size = 0
    for chunk in range(result.chunks):
        end = chunk * result.stride + result.chunk
        first = end - result.stride if chunk else 0
        if not bos and first == end - result.chunk:
            first += 1
        words_here, bytes_here = stream.words_between(first, end), stream.bytes_between(first, end)
        assert words_here is not None and bytes_here is not None
        words, size = words + words_here, size + bytes_here
    return words, size


def denominators(result: PerplexityResult) -> tuple[float, float]:
    """Words and bytes that a loss was divided by."""
    total = result.loss * result.tokens_scored
    assert result.word_perplexity is not None and result.bits_per_byte is not None
    return total / math.log(float(result.word_perplexity)), total / math.log(2) / result.bits_per_byte


def refused(decoder: Decoder, stream: TextStream, **options: object) -> DepthkitError:
    with pytest.raises(DepthkitError) as caught:
        measure(decoder, stream, **options)
    return caught.value


@pytest.mark.parametrize(
    "options",
    [{"chunk": 128}, {"chunk": 512}, {"chunk": 2048}, {"chunk": 128, "stride": 50}, {"bos": "always"}],
)
@pytest.mark.parametrize("make", [byte_level, sentence_piece])
def test_ppl1_uniform_logits_give_the_vocabulary(make: type, options: dict[str, object]) -> None:
    decoder = decoder_for(make(bos=True), uniform=True)
    stream = stream_of(decoder, "plain words\n" * 200 if make is sentence_piece else TEXT)
    size = decoder.vocabulary_size
    result = measure(decoder, stream, **options)
    assert result.perplexity == pytest.approx(size, rel=1e-6)
    assert result.mean_of_sequences == pytest.approx(size, rel=1e-6)
    words, bytes_scored = scored(stream, result, bos=options.get("bos") == "always")
    assert result.word_perplexity == pytest.approx(size ** (result.tokens_scored / words), rel=1e-5)
    assert result.bits_per_byte == pytest.approx(
        math.log2(size) * result.tokens_scored / bytes_scored, rel=1e-6
    )
    assert (
        result.tokens_total
        == len(stream.ids)
        == result.tokens_dropped + (result.chunks - 1) * result.stride + result.chunk
    )


def test_ppl1_denominators_are_those_of_the_text_scored() -> None:
    decoder = decoder_for(byte_level(bos=True), uniform=True)
    text = "One naïve café — 東京 🙂.\n\n  Two\tthree\n"
    stream = stream_of(decoder, text)
    # BOS and a single chunk as long as the text: every token is scored, so every word and byte.
    whole = measure(decoder, stream, chunk=len(stream.ids), bos="always")
    assert denominators(whole) == pytest.approx((len(text.split()), len(text.encode())))
    # Without BOS the first token goes unscored, and the word that it begins with it.
    assert decoder.tokenizer is not None
    first = str(decoder.tokenizer.decode(stream.ids[:1].tolist()))
    part = measure(decoder, stream, chunk=len(stream.ids))
    assert denominators(part) == pytest.approx(
        (len(text.split()) - 1, len(text.encode()) - len(first.encode()))
    )


def test_a_tokeniser_that_changes_the_text_has_no_denominators() -> None:
    decoder = decoder_for(sentence_piece(), uniform=True)
    result = measure(decoder, stream_of(decoder, "a ▁ mark " * 50), chunk=16)
    assert result.word_perplexity is result.bits_per_byte is None
    assert math.isfinite(float(result.perplexity))


def test_ppl3_bos_adds_one_scored_token_a_chunk() -> None:
    decoder = decoder_for(byte_level(bos=True))
    stream = stream_of(decoder)
    never, always = (measure(decoder, stream, chunk=128, bos=policy) for policy in ("never", "always"))
    assert always.tokens_scored - never.tokens_scored == always.chunks == never.chunks
    assert always.bos_added and not never.bos_added
    assert not measure(decoder, stream, chunk=128, bos="auto").bos_added
    adding = decoder_for(byte_level(bos=True, adds_bos=True))
    assert measure(adding, stream_of(adding), chunk=128, bos="auto").bos_added


def test_ppl3_no_bos_token_is_a_typed_error() -> None:
    decoder = decoder_for(byte_level())
    assert refused(decoder, stream_of(decoder), chunk=64, bos="always").code == "INVALID_ARGUMENT"
    assert not measure(decoder, stream_of(decoder), chunk=64, bos="auto").bos_added


@pytest.mark.parametrize("stride", [64, 63, 20, 1])
@pytest.mark.parametrize("bos", ["never", "always"])
def test_each_token_is_scored_once_as_by_brute_force(stride: int, bos: str) -> None:
    decoder = decoder_for(byte_level(bos=True))
    stream = stream_of(decoder, TEXT[:1200])
    units = (Unit("attention", 1), Unit("block", 4))
    result = measure(decoder, stream, *units, chunk=64, stride=stride, bos=bos, max_chunks=5, batch_size=2)
    front = [decoder.tokenizer.bos_token_id] if bos == "always" and decoder.tokenizer else []
    losses: dict[int, float] = {}
    means = []
    with removed(Subnetwork(decoder, units)):
        for start in range(0, 5 * stride, stride):
            ids = [*front, *stream.ids[start : start + 64].tolist()]
            logits = decoder.model(torch.tensor([ids])).logits[0].double()
            each = torch.nn.functional.cross_entropy(logits[:-1], torch.tensor(ids[1:]), reduction="none")
            new = {
                start + n + 1 - len(front): float(loss)
                for n, loss in enumerate(each)
                if start + n + 1 - len(front) not in losses
            }
            # A chunk's first token, once passed over, stays unscored.
            new = {
                place: loss
                for place, loss in new.items()
                if stride == 64 or place >= len(losses) + 1 - len(front)
            }
            means.append(math.exp(np.mean(list(new.values()))))
            losses |= new
    assert result.tokens_scored == len(losses)
    assert result.loss == pytest.approx(np.mean(list(losses.values())), rel=1e-6)
    assert result.mean_of_sequences == pytest.approx(np.mean(means), rel=1e-6)
    assert result.tokens_dropped == len(stream.ids) - 64 - 4 * stride


def test_numbers_do_not_hang_on_the_batch_or_the_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = decoder_for(byte_level())
    stream = stream_of(decoder)
    one = measure(decoder, stream, chunk=96, max_chunks=7)
    assert measure(decoder, stream, chunk=96, max_chunks=7, batch_size=3).loss == pytest.approx(
        one.loss, rel=1e-6
    )
    monkeypatch.setattr(head, "TILE_BYTES", {"cpu": 1, "cuda": 1})
    monkeypatch.setattr(head, "LEAST_COLUMNS", 7)
    assert measure(decoder, stream, chunk=96, max_chunks=7, batch_size=3).loss == pytest.approx(
        one.loss, rel=1e-6
    )


def test_the_chunk_keeps_to_the_models_limit() -> None:
    decoder = decoder_for(byte_level(bos=True), limit=100)
    stream = stream_of(decoder)
    assert measure(decoder, stream, max_chunks=1).chunk == 100
    assert measure(decoder, stream, max_chunks=1, bos="always").chunk == 99
    error = refused(decoder, stream, chunk=101)
    assert error.code == "INVALID_ARGUMENT" and error.details["limit"] == 100
    roomy = decoder_for(byte_level(), limit=8192)
    assert measure(roomy, stream_of(roomy), max_chunks=1).chunk == 2048


@pytest.mark.parametrize("options", [{"stride": 65}, {"chunk": 4097}])
def test_options_out_of_range_are_refused(options: dict[str, object]) -> None:
    decoder = decoder_for(byte_level())
    assert refused(decoder, stream_of(decoder), **{"chunk": 64, **options}).code == "INVALID_ARGUMENT"


def test_too_little_text_is_said_with_both_numbers() -> None:
    decoder = decoder_for(byte_level())
    error = refused(decoder, stream_of(decoder, "a b c"), chunk=64)
    assert (error.code, error.details["need"]) == ("NOT_ENOUGH_TEXT", 64) and error.details["have"] < 6


def test_a_perplexity_beyond_all_numbers_is_infinity_and_the_loss_is_said() -> None:
    decoder = decoder_for(byte_level())
    stream = stream_of(decoder)
    decoder.model.lm_head.weight.mul_(1e4)
    result = measure(decoder, stream, chunk=64, max_chunks=2)
    assert result.perplexity == result.mean_of_sequences == result.word_perplexity == "Infinity"
    assert 710 < result.loss < math.inf and result.bits_per_byte is not None
    assert convert(to_builtins(result), PerplexityResult) == result
    decoder.model.lm_head.weight.mul_(1e-3)
    result = measure(decoder, stream, chunk=64, max_chunks=2)
    assert result.perplexity == pytest.approx(math.exp(result.loss))


def test_nan_is_not_a_result() -> None:
    decoder = decoder_for(byte_level())
    stream = stream_of(decoder)
    decoder.model.lm_head.weight[0, 0] = torch.nan
    assert refused(decoder, stream, chunk=64, max_chunks=1).code == "NOT_MEASURABLE"


def test_a_cancel_leaves_the_model_whole() -> None:
    class Impatient(Unattended):
        def check(self) -> None:
            raise cancelled()

    decoder = decoder_for(byte_level())
    stream, blocks = stream_of(decoder), list(decoder.blocks)
    options = PerplexityOptions(chunk=64, bos="never")
    with pytest.raises(DepthkitError, match="cancelled"):
        perplexity(Subnetwork(decoder, (Unit("block", 1),)), stream, options, Impatient())
    assert list(decoder.blocks) == blocks


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_met3_pads_never_count_in_the_loss(name: str) -> None:
    decoder, rows = tiny(name), random_rows(7, 40, 200)
    together, tokens = dense_loss(decoder, rows)
    alone = [dense_loss(decoder, [row]) for row in rows]
    assert tokens == sum(len(row) - 1 for row in rows)
    assert together == pytest.approx(sum(loss * count for loss, count in alone) / tokens, rel=1e-6)
    for row, (loss, _) in zip(rows, alone, strict=True):
        logits = decoder.model(torch.tensor([row])).logits[0, :-1].double()
        assert loss == pytest.approx(
            float(torch.nn.functional.cross_entropy(logits, torch.tensor(row[1:]))), rel=1e-6
        )


def test_half_precision_logits_are_widened() -> None:
    decoder, rows = llama(dtype=torch.bfloat16), random_rows(30)
    logits = decoder.model(torch.tensor(rows)).logits[0, :-1].double()
    expected = float(torch.nn.functional.cross_entropy(logits, torch.tensor(rows[0][1:])))
    assert dense_loss(decoder, rows)[0] == pytest.approx(expected, rel=1e-6)


def test_smollm2_matches_the_reference_figures(bundled_model: Path) -> None:
    """`bench/golden_perplexities.py` goes through the other chunk lengths."""
    expected = golden("smollm2.json")["perplexity_wikitext2_first_chunks"]
    decoder, job = smollm2(bundled_model), Unattended()
    texts = read_texts(FileSource(files=(str(shared() / "data/wikitext2.test.txt"),)), job)
    stream = make_stream(tokeniser_of(decoder), texts, WIKITEXT, job)
    assert len(stream.ids) == expected["tokens"] and stream.ids[:16].tolist() == expected["first_ids"]
    assert stream.bytes_between(0, len(stream.ids)) == len(stream.text.encode())
    assert stream.words_between(0, len(stream.ids)) == len(stream.text.split())
    result = measure(decoder, stream, chunk=2048, max_chunks=4)
    figures = expected["2048x4"]
    assert (result.tokens_scored, result.chunks) == (figures["scored_tokens"], figures["chunks"])
    assert result.perplexity == pytest.approx(figures["ppl"], rel=1e-4)


def test_wikitext_rows_need_the_empty_lines_that_json_lost() -> None:
    tokenizer, job = byte_level(), Unattended()
    lines = texts_from_strings(["a\r\n\n b\n"])
    assert make_stream(Tokeniser(tokenizer), lines, WIKITEXT, job).text == "a\n\n\n\n\n b\n"
    json_lines = read_texts(FileSource(files=(str(shared() / "data/wikitext2_valid_tokenised.jsonl"),)), job)
    with pytest.raises(DepthkitError, match=r"\.txt"):
        make_stream(Tokeniser(tokenizer), json_lines, WIKITEXT, job)
