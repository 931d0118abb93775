"""Repairs of many gaps at once, each fitted as if nothing else were removed: what a search scores sets
with."""

from __future__ import annotations

from depthkit_worker.contract.wire import (
    EmulatedUpdateOptions,
    LowRankOptions,
    PatchOptions,
    RepairFitParams,
    RepairMethod,
)
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.gaps import Gap, find_gaps
from depthkit_worker.subnetworks.subnetwork import Subnetwork


def gaps_apart(decoder: Decoder, params: RepairFitParams) -> tuple[Gap, ...]:
    """The gaps that `params` asks to be fitted apart; empty where it asks for none."""
    if not params.apart:
        return ()
    if not _is_apart(params.repair):
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Fitting gaps apart: {params.repair.__struct_config__.tag} as it was asked for changes what "
            "other gaps see, or is trained. Gaps are fitted apart by emulated-update, low-rank and patch, "
            "without training and with the dense reference.",
            method=str(params.repair.__struct_config__.tag),
        )
    if params.removed or params.repairs:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            "Fitting gaps apart is done in the whole model, and the call is about a subnetwork or has "
            "repairs. Ask the model itself.",
            removed=list(params.removed),
        )
    return tuple(_gap(decoder, units) for units in dict.fromkeys(params.apart))


def _is_apart(method: RepairMethod) -> bool:
    match method:
        case EmulatedUpdateOptions():
            return method.reference == "dense"
        case LowRankOptions():
            return method.reference == "dense" and method.training is None
        case PatchOptions():
            return method.training is None
        case _:
            return False


def _gap(decoder: Decoder, units: tuple[str, ...]) -> Gap:
    gaps = find_gaps(Subnetwork(decoder, tuple(Unit.parse(name) for name in units)))
    if len(gaps) == 1:
        return gaps[0]
    raise DepthkitError(
        "INVALID_ARGUMENT",
        f"Fitting gaps apart: {', '.join(units)} make {len(gaps)} gaps. Name a sublayer, or neighbouring "
        f"blocks.",
        units=list(units),
    )
