from __future__ import annotations

import json
import time

from msgspec import to_builtins

from depthkit_worker.contract.wire import GateLora, GatesLearnParams, GatesLearnResult, RepairReport
from depthkit_worker.handlers.sources import check_readable
from depthkit_worker.memory.allocator import freed_memory_kept
from depthkit_worker.memory.peaks import PeakMemory
from depthkit_worker.models.checksum import weights_checksum
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.repair.methods import repair_info
from depthkit_worker.repair.repair import BlockEdit, Repair
from depthkit_worker.repair.storage import make_repair
from depthkit_worker.selection.learn_gates import LearnedGates, learn_gates
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session


def learn(session: Session, params: GatesLearnParams, call: Call) -> GatesLearnResult:
    started = time.monotonic()
    decoder, corpus = session.models.get(params.model), session.corpora.get(params.corpus)
    check_readable(corpus, decoder)
    memory = PeakMemory(*decoder.devices)
    before = None if params.lora is None else weights_checksum(decoder)
    with freed_memory_kept(decoder.device):
        learned = learn_gates(decoder, corpus, params.groups, params, call)
    repair = None if params.lora is None else _repair(decoder, learned, params.lora)
    seconds = time.monotonic() - started
    report = (
        None
        if repair is None
        else RepairReport(
            repairs=(repair_info(decoder, repair),),
            gaps=(),
            training=None,
            sequences=corpus.sequences,
            tokens=corpus.tokens,
            skip_tokens=0,
            weights_unchanged=weights_checksum(decoder) == before,
            peak_bytes=memory.bytes(),
            notes=("LoRA learned along with the gates, while other units came and went", *_angles(learned)),
            seconds=seconds,
        )
    )
    return GatesLearnResult(
        logits=call.attach(learned.logits),
        removed=tuple(map(str, learned.removed)),
        losses=call.attach(learned.losses),
        loss=learned.loss,
        repairs=() if repair is None else (session.repairs.add(repair, owner=params.model),),
        report=report,
        seconds=seconds,
    )


def _repair(decoder: Decoder, learned: LearnedGates, lora: GateLora) -> Repair:
    edits = {index: BlockEdit(weights=weights) for index, weights in learned.changes.items()}
    return make_repair(decoder, "lora", learned.removed, edits, json.dumps({"gates": to_builtins(lora)}))


def _angles(learned: LearnedGates) -> tuple[str, ...]:
    if learned.departures is None:
        return ()
    before, after = learned.departures
    return (f"what LoRA reads departs from right angles by {after:.3g}, by {before:.3g} before it learned",)
