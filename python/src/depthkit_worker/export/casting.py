"""Checking what was written: the files are read back, as the library reads them, and asked the same questions
as the model in memory.

A cast to a narrower dtype rounds every weight, so some difference is right. How much is measured on the model
itself: its weights are moved at random by as much as the cast may round them, and the logits of the files may
differ by a small multiple of what that does. Whatever else a cast does (numbers that become infinite or zero)
moves some token's logits by more, and every token of every row is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import LongTensor, Tensor, nn
from transformers import PreTrainedModel

from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.build_checkpoint import Checkpoint
from depthkit_worker.export.verify import SEQUENCE, allowed_difference, fixed_batch, logits_of
from depthkit_worker.models.cancellable import making_obeys
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.dtypes import dtype_name
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork

DRAWS = 12
"""How many times the weights are moved at random, at most. One is enough for most models; in a mixture of
experts rounding now and then sends a token to another expert, which few draws show."""
ALLOWANCE = 2.0
"""The files may differ by this many times the largest difference of the draws: a cast is one more draw."""
NAMED = 3
"""Tensors that a message names."""


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
    name = dtype_name(dtype)
    raise DepthkitError(
        "EXPORT_UNSUPPORTED",
        f"Writing the weights as {name}, whose largest number is {most:.6g}: {sum(beyond.values())} of them "
        f"are larger and would be infinite, in {listed}{more}. Nothing was written. Save them as bfloat16 or "
        f"float32.",
        dtype=name,
        tensors=beyond,
    )


def written_difference(
    subnetwork: Subnetwork, checkpoint: Checkpoint, folder: Path, dtype: torch.dtype, job: Job
) -> float:
    """The largest difference of logits between the files in `folder`, stored as `dtype`, and `subnetwork` in
    memory, computed in the loaded dtype over every token of a fixed batch. An export with more than rounding
    accounts for stops here."""
    decoder = subnetwork.decoder
    ids = [fixed_batch(decoder), *_worst_tokens(checkpoint.model, dtype, job)]
    with removed(subnetwork):
        expected = [logits_of(decoder.model, rows) for rows in ids]
    job.check()
    with making_obeys(job):
        written = _read_back(checkpoint, folder, decoder.device)
    with _as(written, lambda tensor: tensor.to(decoder.device, decoder.dtype, copy=True)):
        found = [logits_of(written, rows) for rows in ids]
    job.check()
    difference = _largest(found, expected)
    largest = max(float(one.abs().max()) for one in expected)
    allowed = allowed_difference(decoder.dtype, largest)
    if _rounds(decoder.dtype, dtype):
        allowed += ALLOWANCE * _rounding(
            checkpoint.model, dtype, ids, (difference - allowed) / ALLOWANCE, job
        )
        _check_runs(written, decoder, ids, dtype)
    if not difference <= allowed:  # NaN too.
        name = dtype_name(dtype)
        raise DepthkitError(
            "EXPORT_UNSUPPORTED",
            f"The logits of the files, stored as {name}, differ from the subnetwork's in memory by up to "
            f"{difference:.3g}, and rounding accounts for {allowed:.3g}. Nothing is left of them. Save them "
            f"as {'bfloat16 or float32' if dtype is torch.float16 else 'float32'}, which hold these weights "
            f"better.",
            difference=repr(difference),
            allowed=allowed,
            dtype=name,
        )
    return difference


def _largest(found: list[Tensor], expected: list[Tensor]) -> float:
    return max(float((one - other).abs().max()) for one, other in zip(found, expected, strict=True))


def _rounds(loaded: torch.dtype, stored: torch.dtype) -> bool:
    """Whether some number of the one dtype is none of the other."""
    return torch.promote_types(loaded, stored) is not stored


def _read_back(checkpoint: Checkpoint, folder: Path, device: torch.device) -> PreTrainedModel:
    """The model of the files, in the dtype they have; its tensors lie in the mapped files, and what is in no
    file on `device`."""
    loaded: Any = type(checkpoint.model).from_pretrained(
        folder,
        dtype=checkpoint.config.dtype,
        attn_implementation=checkpoint.model.config._attn_implementation,
        output_loading_info=True,
    )
    model, report = loaded
    faults = {kind: sorted(map(str, names)) for kind, names in report.items() if names}
    if faults:
        raise DepthkitError(
            "EXPORT_UNSUPPORTED",
            f"The files in {folder.name} do not load as they should: {faults}. Nothing is left of them; "
            f"report it.",
        )
    assert isinstance(model, PreTrainedModel)
    # Buffers come from the configuration, not from files; in a narrow dtype some are computed otherwise.
    for name, module in checkpoint.model.named_modules():
        for key, buffer in module.named_buffers(recurse=False):
            setattr(model.get_submodule(name), key, buffer.to(device))
    model.eval()
    model.requires_grad_(False)
    return model


def _worst_tokens(model: PreTrainedModel, dtype: torch.dtype, job: Job) -> list[LongTensor]:
    """A row of the tokens whose embeddings a cast to `dtype` changes most, where it changes any by more than
    rounding does: the fixed batch has few of all tokens, and a fault may touch a few others."""
    weight = model.get_input_embeddings().weight
    assert isinstance(weight, Tensor)
    norms, errors = [], []
    for rows in torch.split(weight.detach(), 4096):  # Some of the rows at a time: the whole may be large.
        job.check()
        wide = rows.double()
        norms.append(wide.norm(dim=-1))
        errors.append((rows.to(dtype).double() - wide).norm(dim=-1))
    lost = (torch.cat(errors) / torch.cat(norms)).nan_to_num(0.0)
    worst = lost.topk(min(SEQUENCE, len(lost))).indices
    worst = worst[lost[worst] > torch.finfo(dtype).eps]
    return [worst[None]] if len(worst) else []  # type: ignore[list-item]


def _rounding(
    model: PreTrainedModel, dtype: torch.dtype, ids: list[LongTensor], enough: float, job: Job
) -> float:
    """The largest difference of logits when every weight is moved by up to half a unit in the last place of
    `dtype`, the most that the cast rounds it by. No more is drawn once it is `enough`."""
    exact = [logits_of(model, rows) for rows in ids]
    generators = {
        device: torch.Generator(device).manual_seed(0)
        for device in {parameter.device for parameter in model.parameters()}
    }
    half = torch.finfo(dtype).eps / 2

    def moved(tensor: Tensor) -> Tensor:
        by = torch.empty(tensor.shape, dtype=torch.float32, device=tensor.device)
        return (tensor * (1 + by.uniform_(-half, half, generator=generators[tensor.device]))).to(tensor.dtype)

    largest = 0.0
    for _ in range(DRAWS):
        job.check()
        with _as(model, moved):
            largest = max(largest, _largest([logits_of(model, rows) for rows in ids], exact))
        if largest >= enough:
            break
    return largest


def _check_runs(model: PreTrainedModel, decoder: Decoder, ids: list[LongTensor], dtype: torch.dtype) -> None:
    """Refuse files that answer with no numbers in the dtype they are stored in, which is how they are run."""
    with _as(model, lambda tensor: tensor.to(decoder.device, copy=True)):
        finite = all(bool(logits_of(model, rows).isfinite().all()) for rows in ids)
    if not finite:
        name = dtype_name(dtype)
        raise DepthkitError(
            "EXPORT_UNSUPPORTED",
            f"The weights fit into {name}, but the model does not run in it: its logits are no numbers, as "
            f"some hidden state leaves the range of {name}. Nothing is left of the files. Save them as "
            f"bfloat16 or float32.",
            dtype=name,
        )


@contextmanager
def _as(model: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Inside, each module computes with its own parameters changed. They are changed as it is called and let
    go as it returns, so that the memory never holds them all."""
    with ExitStack() as restore:
        for module in model.modules():
            if any(True for _ in module.parameters(recurse=False)):
                swap = _Swap(change)
                restore.callback(module.register_forward_pre_hook(swap.before).remove)
                restore.callback(module.register_forward_hook(swap.after, always_call=True).remove)
        yield


class _Swap:
    """The parameters of one module, changed while it runs."""

    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        self._change = change
        self._own: dict[str, nn.Parameter | None] = {}

    def before(self, module: nn.Module, _inputs: Any) -> None:
        self._own = dict(module._parameters)
        for name, parameter in self._own.items():
            if parameter is not None:
                module._parameters[name] = nn.Parameter(self._change(parameter.detach()), requires_grad=False)

    def after(self, module: nn.Module, _inputs: Any, _output: Any) -> None:
        module._parameters.update(self._own)
        self._own = {}
