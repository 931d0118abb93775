"""Comparing a checkpoint with the subnetwork in memory before anything is written."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import LongTensor, Tensor
from transformers import PreTrainedModel

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.logits import Reader
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork

BATCH, SEQUENCE = 2, 24
NAMED = 3
"""Tensors that a message names."""

BOUNDS: Mapping[torch.dtype, float] = {torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}
"""Largest difference of logits allowed, by the largest logit where that is above 1. Folds change the order of
additions, and narrower dtypes round each sum."""


def largest_difference(subnetwork: Subnetwork, model: PreTrainedModel) -> float | None:
    """The largest difference of logits between `model`, built from a checkpoint's tensors, and `subnetwork`
    in memory, both in the loaded dtype, on a fixed batch of 2 x 24 tokens. None where the weights are on
    several devices.

    An export with more than `BOUNDS` allows stops here.
    """
    decoder = subnetwork.decoder
    if len({parameter.device for parameter in decoder.model.parameters()}) > 1:
        return None
    ids = _fixed_batch(decoder)
    with removed(subnetwork):
        expected = _logits(decoder.model, ids)
    reader = Reader("Comparing the checkpoint with the model in memory", decoder.dtype, "probe")
    reader.check(expected, range(len(ids)))
    difference = float((_logits(model, ids) - expected).abs().max())
    allowed = BOUNDS[decoder.dtype] * max(1.0, float(expected.abs().max()))
    if not difference <= allowed:  # NaN too.
        raise DepthkitError(
            "EXPORT_UNSUPPORTED",
            f"The checkpoint's logits differ from the subnetwork's in memory by up to {difference:.3g}, and "
            f"{allowed:.3g} is allowed in {decoder.dtype}. Nothing was written. Load the model as float32 and export "
            "again; if it still differs, leave the repairs out, and report it.",
            difference=repr(difference),
            allowed=allowed,
        )
    return difference


def check_range(tensors: Mapping[str, Tensor], dtype: torch.dtype, job: Job) -> None:
    """Refuse to write `tensors` as a `dtype` in which finite numbers of them would become infinite."""
    most = torch.finfo(dtype).max
    beyond: dict[str, int] = {}
    for name, tensor in tensors.items():
        job.check()
        if not tensor.is_floating_point() or torch.finfo(tensor.dtype).max <= most:
            continue
        # Counted after the cast, which rounds what is just beyond the largest number down to it.
        lost = int((tensor.isfinite() & ~tensor.to(dtype).isfinite()).sum())
        if lost:
            beyond[name] = lost
    if not beyond:
        return
    listed = ", ".join(f"{name} ({count})" for name, count in list(beyond.items())[:NAMED])
    more = f" and {len(beyond) - NAMED} tensors more" if len(beyond) > NAMED else ""
    name = str(dtype).removeprefix("torch.")
    raise DepthkitError(
        "EXPORT_UNSUPPORTED",
        f"Writing the weights as {name}, whose largest number is {most:.6g}: {sum(beyond.values())} of them are "
        f"larger and would be infinite, in {listed}{more}. Nothing was written. Save them as bfloat16 or float32.",
        dtype=name,
        tensors=beyond,
    )


def _fixed_batch(decoder: Decoder) -> LongTensor:
    length = min(SEQUENCE, decoder.context_length or SEQUENCE)
    # A step without a common factor with most vocabularies' sizes: many tokens, none of them chosen.
    ids = (torch.arange(BATCH * length, device=decoder.device) * 7919 + 17) % decoder.vocabulary_size
    batch = ids.view(BATCH, length)
    assert isinstance(batch, LongTensor) or batch.dtype == torch.long
    return batch  # type: ignore[return-value]


@torch.no_grad()
def _logits(model: PreTrainedModel, ids: LongTensor) -> Tensor:
    logits = model(input_ids=ids, use_cache=False).logits
    assert isinstance(logits, Tensor)
    return logits.float()
