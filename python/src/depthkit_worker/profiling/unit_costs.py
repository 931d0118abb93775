"""What each unit of a model costs to store and to keep: what a removal of it saves."""

from __future__ import annotations

from depthkit_worker.contract.wire import KindCosts, ProfilingUnitCostsResult, UnitKind
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.kv_cache import kv_bytes_per_block
from depthkit_worker.models.units import UNIT_KINDS, Unit
from depthkit_worker.profiling.stored_size import stored_size
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.physical import own_tensors, parameter_count, physical
from depthkit_worker.subnetworks.subnetwork import Subnetwork


def unit_costs(decoder: Decoder, job: Job) -> ProfilingUnitCostsResult:
    """Counted on the model without each unit, so a norm in front of a removed sublayer stays, as it does in
    an export, and a tensor that others share is not saved."""
    whole = decoder.parameters
    stored = stored_size(decoder, whole)
    kept_per_token = kv_bytes_per_block(decoder)
    kinds = []
    for kind in UNIT_KINDS:
        saved = []
        for index in range(len(decoder.blocks)):
            job.check()
            unit = Unit(kind, index)
            if unit in decoder.absent_units:
                saved.append(0)
                continue
            with physical(Subnetwork(decoder, (unit,))):
                saved.append(whole - parameter_count(own_tensors([decoder.model])))
        kinds.append(
            KindCosts(
                kind=kind,
                parameters=tuple(saved),
                stored_bytes=tuple(
                    0
                    if parameters == 0
                    else stored - stored_size(decoder, whole - parameters, [Unit(kind, index)])
                    for index, parameters in enumerate(saved)
                ),
                kv_bytes_per_token=_kept(kind, kept_per_token),
            )
        )
    return ProfilingUnitCostsResult(
        kinds=tuple(kinds),
        parameters=whole,
        stored_bytes=stored,
        kv_bytes_per_token=sum(kept_per_token),
    )


def _kept(kind: UnitKind, per_attention: tuple[int, ...]) -> tuple[int, ...]:
    return (0,) * len(per_attention) if kind == "feed-forward" else per_attention
