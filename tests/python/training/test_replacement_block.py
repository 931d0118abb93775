"""Replacement blocks (LLM-Streamline) on tiny models."""

from __future__ import annotations

import pytest
import torch
from msgspec import structs

from depthkit_worker.contract.wire import Objective, ReplacementBlockOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.checksum import weights_checksum
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.replacement_block import fit_replacement_block
from depthkit_worker.repair.storage import make_repair
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from influence.builders import tiny
from tiny import FAMILY_MODELS, token_ids
from training.builders import SHORT, base_of, ignore


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_untrained_and_for_one_block_it_is_the_dense_model(name: str) -> None:
    decoder, ids = tiny(name), token_ids(2, 11)
    units = (Unit("block", 3),)
    dense = decoder.model(ids, use_cache=False).logits
    fitted = fit_replacement_block(
        ReplacementBlockOptions(training=None), ignore, base_of(decoder, units), Unattended()
    )
    (fill,) = fitted.fills
    repair = make_repair(decoder, "replacement-block", fill.removed, fill.edits, "{}", fill.base)
    with removed(Subnetwork(decoder, units, (repair,))):
        assert torch.equal(decoder.model(ids, use_cache=False).logits, dense)
    assert torch.equal(decoder.model(ids, use_cache=False).logits, dense)
    assert fitted.training is None
    assert fitted.notes == ("for block.3, removed alone, this saves nothing: it starts as that block",)


@pytest.mark.parametrize("name", ["llama", "gpt2", "gemma2", "falcon-parallel", "qwen3_moe"])
def test_each_run_gets_a_block_and_all_are_trained(name: str) -> None:
    """REC3."""
    decoder = tiny(name)
    units = (Unit("block", 1), Unit("block", 3), Unit("attention", 4), Unit("feed-forward", 4))
    before = weights_checksum(decoder)
    options = structs.replace(SHORT, activation_checkpointing=True, steps=5)
    fitted = fit_replacement_block(
        ReplacementBlockOptions(training=options), ignore, base_of(decoder, units), Unattended()
    )
    assert [list(fill.edits) for fill in fitted.fills] == [[1], [3]]
    assert [fill.removed for fill in fitted.fills] == [
        (Unit("block", 1),),
        (Unit("block", 3), Unit("block", 4)),
    ]
    assert fitted.training is not None and fitted.training.change > 0
    assert fitted.notes[0].startswith("for block.1, ")
    for fill in fitted.fills:
        for index, edit in fill.edits.items():
            assert edit.replacement is not None and not edit.replacement.training
            start = decoder.blocks[index].state_dict()
            moved = {
                key
                for key, value in edit.replacement.state_dict().items()
                if not torch.equal(value, start[key])
            }
            assert moved >= {
                key for key, _ in edit.replacement.named_parameters() if "norm" not in key
            } - untouched(name)
    assert weights_checksum(decoder) == before


def untouched(name: str) -> set[str]:
    """Parameters that a short training may leave: keys' biases, which softmax does not see."""
    return {"attn.c_attn.bias"} if name == "gpt2" else set()


def test_removed_sublayers_are_refused() -> None:
    base = base_of(tiny("llama"), (Unit("block", 1), Unit("attention", 3)))
    with pytest.raises(DepthkitError, match=r"attention\.3 went alone") as caught:
        fit_replacement_block(ReplacementBlockOptions(training=None), ignore, base, Unattended())
    assert caught.value.code == "INVALID_ARGUMENT"


def test_where_there_is_nothing_to_learn_it_is_said() -> None:
    """A block in place of one block is that block: its streams are the whole model's already."""
    base = base_of(tiny("llama"), (Unit("block", 3),))
    options = ReplacementBlockOptions(training=structs.replace(SHORT, objective=Objective(hidden=1.0)))
    with pytest.raises(DepthkitError, match="nothing to learn, as for a block in place of one") as caught:
        fit_replacement_block(options, ignore, base, Unattended())
    assert caught.value.code == "INVALID_ARGUMENT"
    assert caught.value.details["steps"] == SHORT.steps
