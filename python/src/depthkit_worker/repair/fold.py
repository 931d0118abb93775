"""ReplaceMe, arXiv 2505.02819: a gap folded into the feed-forward right before it, so that nothing is added.

With F what that feed-forward adds to the stream and d the update that was removed, T and b lower
||F T + b - (F + d)||^2 + a ||T - I||^2; the down projection becomes W T. In M = T - I this is ridge
regression from F to d, and an infinite ridge leaves b alone, the emulated update.

What enters the stream right before the gap must be the feed-forward's output itself, so a feed-forward serves
- a removed block or run of blocks above it, in sequential and in parallel wiring alike;
- a removed attention in the next block, in sequential wiring. (In parallel wiring the feed-forward beside
  that attention reads the same stream and would see the change, so it is refused.)
A removed feed-forward has its own attention right before it, which stays; that is refused, and so are
families that norm a sublayer's output, and mixtures of experts, where no single matrix makes the output. A
multiplier of updates (Granite) is a number and commutes with T.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

import torch
from msgspec.structs import replace
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from depthkit_worker.contract.wire import (
    FoldDescent,
    FoldDescentReport,
    FoldOptions,
    GapError,
    RepairReference,
)
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.stand_ins import require_whole
from depthkit_worker.models.stream_updates import Constant
from depthkit_worker.models.units import Parts
from depthkit_worker.repair.fitting import Base, Fill, Fitted
from depthkit_worker.repair.fold_descent import KeptStreams, descend, kept_tokens
from depthkit_worker.repair.gap_filling import first_token_notes
from depthkit_worker.repair.gap_streams import each, fit_gaps
from depthkit_worker.repair.gaps import Gap, require_gaps
from depthkit_worker.repair.host_sums import host_sums, products_bytes
from depthkit_worker.repair.least_squares import GapRegression
from depthkit_worker.repair.repair import BlockEdit
from depthkit_worker.repair.ridge_regression import Affine
from depthkit_worker.repair.weight_changes import Product
from depthkit_worker.session.job import Job

PROJECTIONS = ("down_proj", "c_proj", "dense_4h_to_h", "fc2", "fc_out")
"""What families call the matrix that ends a feed-forward."""


@dataclass(frozen=True)
class _Place:
    """The feed-forward that takes a gap in."""

    block: int
    name: str
    """Of the projection, in the block."""
    projection: nn.Module


def fit_fold(options: FoldOptions, base: Base, job: Job) -> Fitted:
    gaps = require_gaps(base.subnetwork, "fold")
    places = _places(base, gaps, options.reference)
    fits: dict[Gap, Affine] = {}
    descents: dict[Gap, FoldDescentReport] = {}
    descent = _descent(options)
    kept = None if descent is None else kept_tokens(base.corpus, base.options.skip_tokens, descent)

    def fill(gap: Gap, regression: GapRegression) -> Fill:
        place, update = places[gap], fit(regression)
        fits[gap] = update
        weights = {}
        if update.matrix is not None:
            identity = torch.eye(len(update.matrix), dtype=torch.float64, device=update.matrix.device)
            precise = torch.promote_types(regression.dtype, torch.float32)
            turn = Product(
                (identity + update.matrix).to(regression.device, precise), not _is_conv1d(place.projection)
            )
            weights = {
                f"{place.name}.{name}": turn for name, _ in place.projection.named_parameters(recurse=False)
            }
        bias = Constant(base.decoder.at(place.block, regression.cast(update.bias)))
        return Fill(gap.units, {place.block: BlockEdit(after=bias, weights=weights)})

    def fit(regression: GapRegression) -> Affine:
        if options.ridge is None:
            solved = Affine(None, regression.mean())
        else:
            solved = regression.solver().whole(regression.settled_ridge(options.ridge))
        if descent is None or not isinstance(regression, KeptStreams):
            return solved
        found, descents[regression.gap] = descend(regression, solved, descent, job)
        return found

    choosing = options.ridge == "auto"
    host = host_sums(base, len(gaps), choosing)
    # What follows travels, and the modules in `places` do not.
    blocks = {gap: place.block for gap, place in places.items()}
    names = {place.block: place.name for place in places.values()}
    outputs: dict[int, Tensor] = {}

    def watch(gap: Gap) -> GapRegression:
        def read(x: Tensor) -> Tensor:
            return outputs[blocks[gap]].to(x.device).view(x.shape)

        if kept is None:
            return GapRegression(gap, read, choosing, host)
        return KeptStreams(gap, read, choosing, host, options.objective, kept)

    fitted = fit_gaps(
        # The streams kept are by their places in the whole corpus.
        base if kept is None else dataclasses.replace(base, hands=None),
        gaps,
        options.reference,
        each(watch),
        fill,
        job,
        around=lambda decoder: _kept_outputs(decoder, names, outputs),
        gap_bytes=products_bytes(base, 1, choosing),
    )
    errors = tuple(
        replace(regression.gap_error(fits[regression.gap]), descent=descents.get(regression.gap))
        for _, regression in fitted
    )
    notes = (*first_token_notes(errors), *_descent_notes(errors))
    return Fitted(replace(options, descent=descent), tuple(made for made, _ in fitted), errors, notes=notes)


def _descent(options: FoldOptions) -> FoldDescent | None:
    """How a cosine objective is lowered; None for least squares."""
    if options.objective != "least-squares":
        return options.descent or FoldDescent()
    if options.descent is not None:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            "The fold was given a descent and is fitted by least squares, which has a closed form and no "
            "steps. Leave descent out, or give objective cosine or stream-cosine.",
            objective=options.objective,
        )
    return None


def _descent_notes(gaps: Sequence[GapError]) -> tuple[str, ...]:
    return tuple(
        f"{', '.join(gap.removed)}: no step lowered the cosine objective, so this is the map of least squares"
        for gap in gaps
        if gap.descent is not None and gap.descent.steps > 0 and gap.descent.after == gap.descent.before
    )


@contextmanager
def _kept_outputs(decoder: Decoder, names: Mapping[int, str], outputs: dict[int, Tensor]) -> Iterator[None]:
    """Inside, `outputs` has what the named projection of each block last added to the stream."""
    multiplier = decoder.family.update_multiplier
    scale = 1.0 if multiplier is None else float(getattr(decoder.config, multiplier))

    def keep(block: int) -> Callable[..., None]:
        # A product is a copy as well: Falcon adds the attention to this very tensor.
        return lambda _module, _positional, output: outputs.__setitem__(block, output * scale)

    handles = [
        decoder.blocks[block].get_submodule(name).register_forward_hook(keep(block))
        for block, name in names.items()
    ]
    try:
        yield
    finally:
        outputs.clear()
        for handle in handles:
            handle.remove()


def _places(base: Base, gaps: Sequence[Gap], reference: RepairReference) -> dict[Gap, _Place]:
    decoder = base.decoder
    parts, edits = base.subnetwork.lost, base.subnetwork.edits
    places: dict[Gap, _Place] = {}
    for gap in gaps:
        if gap.kind == "feed-forward":
            _refuse(gap, "the attention of the same block stands between it and any feed-forward before it")
        if gap.kind == "attention" and decoder.parallel:
            _refuse(gap, "in this model's parallel blocks the feed-forward beside it reads the same stream")
        index = gap.first - 1
        if index < 0:
            _refuse(gap, "no feed-forward comes before it")
        if Parts.FEED_FORWARD in parts[index]:
            _refuse(gap, f"feed-forward.{index}, which comes right before it, is removed as well")
        require_whole(decoder.blocks[index], decoder.family, index, f"A fold of {gap.units[0]} goes into")
        edit = edits.get(index)
        if edit is not None and edit.after is not None:
            _refuse(gap, f"another repair has put something behind block {index}")
        place = _Place(index, *projection_of(decoder, index, gap))
        changed = [name for name in (edit.weights if edit else ()) if name.startswith(f"{place.name}.")]
        if changed and reference == "dense":
            _refuse(gap, f"a repair has changed {changed[0]} of block {index}; fit with reference pruned")
        places[gap] = place
    return places


def projection_of(decoder: Decoder, index: int, gap: Gap) -> tuple[str, nn.Module]:
    """The matrix whose output the block adds to the stream, by its name in the block."""
    block, last = decoder.blocks[index], decoder.family.feed_forward[-1]
    if decoder.family.norms_updates:
        _refuse(gap, f"{decoder.family.model_type} norms what a feed-forward gives before it is added")
    module = block.get_submodule(last)
    candidates = [(last, module), *((f"{last}.{name}", getattr(module, name, None)) for name in PROJECTIONS)]
    linear = [(name, found) for name, found in candidates if isinstance(found, nn.Linear | Conv1D)]
    if not linear:
        _refuse(
            gap,
            f"the feed-forward of block {index} is a mixture of experts, with no single matrix at its end",
        )
    return linear[0]


def _is_conv1d(module: nn.Module) -> bool:
    return isinstance(module, Conv1D)


def _refuse(gap: Gap, why: str) -> NoReturn:
    names = ", ".join(str(unit) for unit in gap.units)
    raise DepthkitError(
        "INVALID_ARGUMENT",
        f"Folding {names} into the feed-forward before it: {why}. A fold takes a removed block, run of "
        "blocks or attention with a kept feed-forward right before it. Use emulated-update or low-rank "
        "there.",
        units=[str(unit) for unit in gap.units],
    )
