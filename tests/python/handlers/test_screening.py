"""Values are filed by what `screen` multiplies in: a worker that would multiply in another dtype refuses."""

from __future__ import annotations

import pytest
from transformers import PreTrainedTokenizerBase

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.session.session import Session
from depthkit_worker.subnetworks.screening import screening_of
from handlers.calls import ask, corpus_for
from tiny import tiny_model


def test_a_worker_on_another_kind_of_device_is_found_out(words: PreTrainedTokenizerBase) -> None:
    session = Session()
    decoder = Decoder(tiny_model("llama"), words)
    model, corpus = session.models.add(decoder), session.corpora.add(corpus_for(words))
    other = "float32" if screening_of(decoder) == "bfloat16" else "bfloat16"
    with pytest.raises(DepthkitError, match="on devices of one kind") as raised:
        ask(
            session,
            "subnetworks.evaluate",
            model=model,
            data=corpus,
            players=[["block.1"]],
            kept={"tensor": 0},
            repairs=[],
            repaired=None,
            measures=["loss"],
            bySequence=False,
            scoredPositions={"every": 1, "last": None},
            batchSize=None,
            memoryBudget=None,
            precision="screen",
            screening=other,
        )
    assert raised.value.code == "INVALID_ARGUMENT"
