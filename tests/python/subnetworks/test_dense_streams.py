"""Evaluations that begin where the whole model's stream was kept, against those from the first block on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from blocks_run import blocks_run
from depthkit_worker.contract.wire import EngineOptions, Measure
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.dense_streams import DenseStreams, DenseStreamsOf
from depthkit_worker.subnetworks.engine import EngineResult, evaluate_subnetworks
from depthkit_worker.subnetworks.executor import LocalExecutor
from depthkit_worker.subnetworks.masks import Subnetworks
from influence.builders import tiny
from subnetworks.physical import corpus_of
from tiny import token_ids

DEPTH = 6


def evaluated(
    decoder: Decoder,
    sets: list[tuple[int, ...]],
    streams: DenseStreamsOf | None,
    monkeypatch: pytest.MonkeyPatch,
    measures: tuple[Measure, ...] = ("loss",),
) -> tuple[EngineResult, list[int]]:
    """Also the blocks that ran."""
    corpus = corpus_of([*token_ids(6, 16)])
    units = tuple(Unit("block", index) for index in range(DEPTH))
    kept = np.array([[index not in lost for index in range(DEPTH)] for lost in sets])
    with blocks_run(monkeypatch) as ran:
        result = evaluate_subnetworks(
            decoder,
            corpus,
            Subnetworks(units, kept),
            measures,
            EngineOptions(batch_size=3),
            Unattended(),
            executor=LocalExecutor(decoder, corpus, streams),
        )
    return result, ran


@pytest.mark.parametrize("measures", [("loss",), ("loss", "kl")])
@pytest.mark.parametrize("family", ["llama", "gpt_neox-parallel", "gemma2"])
def test_values_and_counts_are_the_same(
    family: str, measures: tuple[Measure, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder, streams = tiny(family), DenseStreams().of("model-1", "corpus-1")
    asked: list[list[tuple[int, ...]]] = [
        [(3,)],
        [(4, 5), (3, 4)],
        [(4,)],
        [(), (5,)],
        [(0, 3)],
        [(2, 3), (3, 5)],
    ]
    for sets in asked:
        whole, all_blocks = evaluated(decoder, sets, None, monkeypatch, measures)
        began, blocks = evaluated(decoder, sets, streams, monkeypatch, measures)
        np.testing.assert_array_equal(began.values, whole.values)
        assert began.block_evaluations == whole.block_evaluations
        assert len(blocks) <= len(all_blocks)


def test_only_what_lies_above_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder, streams = tiny("llama"), DenseStreams().of("model-1", "corpus-1")
    batches = 2
    for lost, ran in (
        ((3,), [0, 1, 2, 4, 5]),
        # From the stream in front of block 3.
        ((4, 5), [3]),
        ((3, 5), [4]),
        ((4,), [5]),
        # Below all that is kept.
        ((1,), [0, 2, 3, 4, 5]),
        ((2,), [1, 3, 4, 5]),
    ):
        _, blocks = evaluated(decoder, [lost], streams, monkeypatch)
        assert blocks == ran * batches


def test_another_scope_or_batch_has_streams_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder, streams = tiny("llama"), DenseStreams()
    evaluated(decoder, [(3,)], streams.of("model-1", "corpus-1", "exact"), monkeypatch)
    _, blocks = evaluated(decoder, [(3,)], streams.of("model-1", "corpus-1", "screen"), monkeypatch)
    assert blocks == [0, 1, 2, 4, 5] * 2
    one = streams.of("model-1", "corpus-1", "exact")
    assert one.highest((0, 3), 5) is not None and one.highest((0, 6), 5) is None
    streams.clear()
    assert one.highest((0, 3), 5) is None


def test_what_was_used_last_stays_within_the_bytes() -> None:
    stream = torch.zeros(1, 8, 4)
    streams = DenseStreams(most_bytes=2 * stream.nbytes)
    one = streams.of("model-1")
    one.keep((0, 1), 1, stream)
    one.keep((0, 1), 2, stream)
    assert one.highest((0, 1), 1) == (1, stream)
    one.keep((0, 1), 3, stream)
    found = [one.highest((0, 1), boundary) for boundary in (1, 2, 3)]
    assert [place and place[0] for place in found] == [1, 1, 3]
    one.keep((0, 1), 5, torch.zeros(3, 8, 4))
    assert one.highest((0, 1), 5) == (3, stream)
