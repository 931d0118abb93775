"""Partial tuning: some of the blocks that stay, and the head, trained whole (arXiv 2411.15558).

The paper tunes the last three blocks that stay and the head, after removing blocks near the end. Where gaps
lie elsewhere, the blocks next to them are what has to make up for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from msgspec.structs import replace
from torch import Tensor, nn

from depthkit_worker.contract.wire import PartialOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder, edited_module
from depthkit_worker.models.stand_ins import PassThrough
from depthkit_worker.models.units import Parts
from depthkit_worker.repair.fitting import Base, Fill, Fitted
from depthkit_worker.repair.gaps import find_gaps
from depthkit_worker.repair.repair import BlockEdit, part_of
from depthkit_worker.repair.training.loop import train
from depthkit_worker.repair.training.options import LEARNING_RATE_OF_WEIGHTS, settled
from depthkit_worker.repair.training.passes import Trained
from depthkit_worker.repair.training.report import OnPoint, training_notes
from depthkit_worker.repair.weight_changes import Value
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.gates import removed


def fit_partial(options: PartialOptions, on_point: OnPoint, base: Base, job: Job) -> Fitted:
    """Train copies of weights in the places of the weights. One repair for the model as a whole."""
    training = settled(options.training, base.corpus.sequences, learning_rate=LEARNING_RATE_OF_WEIGHTS)
    options = replace(options, training=training)
    blocks = _tuned(options, base)
    values: dict[int, dict[str, Tensor]] = {}

    @contextmanager
    def surgery() -> Iterator[Trained]:
        with removed(base.subnetwork), ExitStack() as restore:
            copies = {index: _copied(base, index, restore) for index in blocks}
            named = {f"{index}.{name}": value for index, own in copies.items() for name, value in own.items()}
            yield Trained(named, min(blocks), head=copies.get(base.decoder.depth, {}).get("weight"))
            for index, own in copies.items():
                values[index] = {name: parameter.detach().clone() for name, parameter in own.items()}

    what = {"partial": {"blocks": blocks}}
    report = train(base, surgery, min(blocks), what, training, job, on_point)
    edits = {
        index: BlockEdit(weights={name: Value(value) for name, value in own.items()})
        for index, own in values.items()
    }
    fill = Fill(base.subnetwork.units, edits, tuple(repair.digest for repair in base.subnetwork.repairs))
    listed = ", ".join(str(index) for index in blocks if index < base.decoder.depth)
    notes = (f"tuned whole: blocks {listed}{_head_note(options, base.decoder)}", *training_notes(report))
    return Fitted(options, (fill,), training=report, notes=notes)


def _tuned(options: PartialOptions, base: Base) -> list[int]:
    """Numbers of the blocks to tune, in order; the head counts as the one behind the last."""
    decoder = base.decoder
    with removed(base.subnetwork):
        staying = [index for index, block in enumerate(decoder.blocks) if not isinstance(block, PassThrough)]
    if options.tuned == "last":
        chosen = set(staying[-options.count :])
    else:
        gaps = find_gaps(base.subnetwork.unrepaired)
        if not gaps:
            raise DepthkitError(
                "INVALID_ARGUMENT",
                "partial was to tune the neighbours of gaps, and nothing is removed. Remove units first "
                "(model.without([...])), or tune the last blocks.",
            )
        chosen = set()
        for gap in gaps:
            # What stands in it: the block that lost a sublayer, or one that replaces the removed ones.
            chosen |= {index for index in staying if gap.first <= index <= gap.last}
            chosen |= {*[index for index in staying if index < gap.first][-options.count :]}
            chosen |= {*[index for index in staying if index > gap.last][: options.count]}
    if not chosen:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            "partial has no block to tune: every block is removed. Keep one.",
            staying=staying,
        )
    return [*sorted(chosen), *([decoder.depth] if options.head else [])]


def _copied(base: Base, index: int, restore: ExitStack) -> dict[str, nn.Parameter]:
    """Copies of a block's floating-point parameters, or of the head's weight, in their places until
    `restore`. A head that is tied to the embedding is tied no more: the embedding stays as it is. Of a block
    that lost a sublayer the other one's own weights: which norms it still reads through is not the same in
    all families."""
    decoder, lost = base.decoder, base.subnetwork.lost
    module = edited_module(decoder, index)
    copies: dict[str, nn.Parameter] = {}
    for name, parameter in list(module.named_parameters()):
        of_a_norm = part_of(name, decoder.family) is Parts.BOTH
        if index == decoder.depth:
            wanted = name == "weight"
        else:
            wanted = not (of_a_norm and lost[index] in (Parts.ATTENTION, Parts.FEED_FORWARD))
        if not wanted or not parameter.is_floating_point():
            continue
        path, _, last = name.rpartition(".")
        owner = module.get_submodule(path)
        restore.callback(setattr, owner, last, parameter)
        copies[name] = nn.Parameter(parameter.detach().clone(), requires_grad=False)
        setattr(owner, last, copies[name])
    return copies


def _head_note(options: PartialOptions, decoder: Decoder) -> str:
    if not options.head:
        return ""
    embedding, head = decoder.model.get_input_embeddings(), decoder.model.get_output_embeddings()
    tied = embedding.weight is head.weight
    return (
        ", and the head, which is tied to the embedding no more: an export holds both"
        if tied
        else ", and the head"
    )
