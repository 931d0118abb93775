from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from depthkit_worker.contract.wire import (
    SubnetworksEvaluateParams,
    SubnetworksEvaluatePart,
    SubnetworksEvaluateResult,
    SubnetworksSplitParams,
    SubnetworksSplitResult,
    WorkSplit,
)
from depthkit_worker.errors import DepthkitError
from depthkit_worker.handlers.sources import check_readable, data_of, parse_units
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session
from depthkit_worker.subnetworks.data_rows import Data
from depthkit_worker.subnetworks.engine import evaluate_subnetworks, split_of
from depthkit_worker.subnetworks.executor import Executor, LocalExecutor
from depthkit_worker.subnetworks.masks import Subnetworks, by_unit, unpack_masks
from depthkit_worker.subnetworks.screening import screening_of
from depthkit_worker.subnetworks.splits import Split


def _check_screening(params: SubnetworksEvaluateParams, decoder: Decoder) -> None:
    """The caller files values by what `screen` multiplies in."""
    there = screening_of(decoder)
    if params.precision == "exact" or params.screening == there:
        return
    raise DepthkitError(
        "INVALID_ARGUMENT",
        f"Screening: products would be in {there} on {decoder.device}, and in {params.screening} on the "
        "device that the model was first loaded on. Screen with workers on devices of one kind.",
        device=str(decoder.device),
        screening=there,
    )


def _told(split: Split | None) -> WorkSplit | None:
    if split is None:
        return None
    return WorkSplit(
        actors=split.devices,
        pieces=len(split.pieces),
        sharing_lost=split.sharing_lost,
        seconds=split.seconds,
        alone_seconds=split.alone,
    )


def _executor(session: Session, params: SubnetworksEvaluateParams, decoder: Decoder, data: Data) -> Executor:
    if session.cluster is not None:
        return session.cluster.executor(decoder, data)
    # A budget is of all that an evaluation takes, and what is kept stays behind it. A GPU's memory is for
    # larger batches.
    if params.memory_budget is not None or decoder.device.type != "cpu":
        return LocalExecutor(decoder, data)
    scope = (params.model, params.data, params.precision, params.scored_positions, params.measures)
    return LocalExecutor(decoder, data, session.dense_streams.of(*scope))


def split(session: Session, params: SubnetworksSplitParams, call: Call) -> SubnetworksSplitResult:
    """How a cluster would share the work, without doing it."""
    decoder = session.models.get(params.model)
    data = data_of(session, params.data)
    check_readable(data, decoder)
    kept = unpack_masks(call.array(params.kept, "uint8"), len(params.players))
    units, kept = by_unit([parse_units(names) for names in params.players], kept)
    if session.cluster is None:
        return SubnetworksSplitResult(split=None)
    executor = session.cluster.executor(decoder, data)
    found = split_of(decoder, data, Subnetworks(units, kept), params.measures, params, executor)
    return SubnetworksSplitResult(split=_told(found))


def evaluate(session: Session, params: SubnetworksEvaluateParams, call: Call) -> SubnetworksEvaluateResult:
    decoder = session.models.get(params.model)
    _check_screening(params, decoder)
    data = data_of(session, params.data)
    check_readable(data, decoder)
    kept = unpack_masks(call.array(params.kept, "uint8"), len(params.players))
    units, kept = by_unit([parse_units(names) for names in params.players], kept)
    repairs = tuple(session.repairs.get(handle) for handle in params.repairs)
    repaired = (
        None if params.repaired is None else unpack_masks(call.array(params.repaired, "uint8"), len(repairs))
    )

    def send(
        rows: NDArray[np.int64],
        values: NDArray[np.float64],
        counts: tuple[int, ...],
        apart: NDArray[np.float64] | None,
    ) -> None:
        places = call.attach(rows.astype(np.uint32))
        found = call.attach(values)
        own = None if apart is None else call.attach(apart)
        call.part(SubnetworksEvaluatePart(rows=places, values=found, counts=counts, by_sequence=own))

    subnetworks = Subnetworks(units, kept, repairs, repaired)
    result = evaluate_subnetworks(
        decoder,
        data,
        subnetworks,
        params.measures,
        params,
        call,
        send,
        executor=_executor(session, params, decoder, data),
        by_sequence=params.by_sequence,
    )
    return SubnetworksEvaluateResult(
        values=call.attach(result.values),
        measures=result.measures,
        counts=result.counts,
        distinct=result.distinct,
        not_finite=result.not_finite,
        block_evaluations=result.block_evaluations,
        batch_size=result.batch_size,
        split=_told(result.split),
        notes=result.notes,
        seconds=result.seconds,
    )
