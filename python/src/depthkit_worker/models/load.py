"""Loading a model as a `Decoder`, from whatever the user calls it by."""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
import transformers
from packaging.version import Version
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from depthkit_worker.contract.wire import AttentionChoice, ModelOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.adapter_files import adapter_notes
from depthkit_worker.models.cancellable import making_obeys
from depthkit_worker.models.checkpoint import require_tokenizer, unreadable_tokenizer
from depthkit_worker.models.configuration import Described, check_described, load_config
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.devices import choose_device
from depthkit_worker.models.find import find_adapter, find_model
from depthkit_worker.models.folders import sha256_of_files
from depthkit_worker.models.merged_adapter import merge_adapter, read_adapter
from depthkit_worker.models.own_layout.read import as_stock
from depthkit_worker.models.placement import mapped_devices, plan_blocks
from depthkit_worker.models.quantised import refused
from depthkit_worker.models.quiet import quiet_transformers
from depthkit_worker.models.source import Source
from depthkit_worker.models.stored_weights import StoredWeights, read_stored
from depthkit_worker.models.tokenizer_probes import overruled_note
from depthkit_worker.models.weights import load_weights
from depthkit_worker.session.job import Job, attended, cancelled

PHASE = "loading"
ALIGNMENT_BYTES = 64
OLDEST_TRANSFORMERS = Version("5.17")
"""All tests but those of lm-eval were run with it, too."""


def load_model(source: str, cache_folder: Path, options: ModelOptions, job: Job) -> Decoder:
    """Load `source`: a bundled name, a folder, a .gguf file or a hub id. Refuses a checkpoint that lacks a
    tensor, has one too many or one of another shape: a model that is partly random answers, only wrongly."""
    quiet_transformers()
    _require_transformers()
    _check_devices(options)
    found = find_model(source, cache_folder, options, job)
    folder = found.folder
    content, quantisation = check_described(folder)
    if quantisation is not None and options.adapter is not None:
        raise refused(
            folder,
            quantisation,
            f"the adapter {options.adapter} would be merged into plain weights. Load it without, and the "
            "adapter beside it, as a subnetwork (`model.loadSubnetwork`, --subnetwork)",
        )
    stored = read_stored(folder, quantised=quantisation is not None)
    described = load_config(folder, content, stored, options.trust_remote_code, quantisation)
    adapter = None if options.adapter is None else read_adapter(find_adapter(options.adapter, job))
    dtype = getattr(torch, stored.dtype if options.dtype == "auto" else options.dtype)
    placed = stored if quantisation is None else stored.unpacked(quantisation.bits[0])
    packed = quantisation is not None and quantisation.packed
    places = _places(
        options, stored if packed else placed, described.config.num_hidden_layers, None if packed else dtype
    )
    job.check()
    job.report(PHASE, 0, 2, "steps")
    # First, as it is loaded in a thread, which would obey as well and leave its imports half done.
    tokenizer = _tokenizer(folder, described, options.trust_remote_code, job)
    with making_obeys(job), _digest_beside(stored.files, job) as digest:
        model, weight_notes = load_weights(folder, described, dtype, places, options)
        if adapter is not None:
            weight_notes += merge_adapter(model, adapter)
        if described.own is not None:
            as_stock(model, described.own)
        job.report(PHASE, 1, 2, "steps")
        _align(model, job)
        overruled = overruled_note(folder, tokenizer)
        tokenizer_notes = () if overruled is None else (overruled,)
        own_notes = () if quantisation is None else quantisation.notes(folder)
        notes = (*adapter_notes(folder), *own_notes, *described.notes, *weight_notes, *tokenizer_notes)
        weights = digest.result() if adapter is None else adapter.digest(digest.result(), job.check)
        loaded = Source(
            source,
            found.revision,
            folder,
            weights,
            described.stored.dtype,
            notes,
            options.adapter,
            None if described.own is None else described.own.digest,
            quantisation,
            {} if quantisation is None else {name: one.bytes for name, one in stored.tensors.items()},
        )
    job.report(PHASE, 2, 2, "steps")
    return Decoder(model, tokenizer, loaded)


def _require_transformers() -> None:
    """An interpreter of the user's own may hold any release, and older ones let arguments they do not know
    pass."""
    if Version(transformers.__version__) < OLDEST_TRANSFORMERS:
        raise DepthkitError(
            "MODULE_MISSING",
            f"transformers is at {transformers.__version__}, and depthkit needs {OLDEST_TRANSFORMERS} or "
            f"newer. In the "
            f'Python of your own: "{sys.executable}" -m pip install "transformers>={OLDEST_TRANSFORMERS}"',
            module="transformers",
            version=transformers.__version__,
        )


@contextmanager
def _digest_beside(files: Sequence[Path], job: Job) -> Iterator[Future[str]]:
    """The files' digest, taken by another thread while the block runs; given up when it fails."""
    abandoned = threading.Event()

    def check() -> None:
        job.check()
        if abandoned.is_set():
            raise cancelled()

    with ThreadPoolExecutor(1) as pool:
        try:
            yield pool.submit(sha256_of_files, files, check)
        finally:
            abandoned.set()


def _tokenizer(
    folder: Path, described: Described, trust_remote_code: bool, job: Job
) -> PreTrainedTokenizerBase:
    require_tokenizer(folder)
    # Depthkit's own layout has a configuration of its own, for which the library would run the folder's code.
    given = {} if described.own is None else {"config": described.own.config}
    read = partial(AutoTokenizer.from_pretrained, folder, trust_remote_code=trust_remote_code, **given)
    try:
        # Of a large vocabulary it takes seconds, in one call of its Rust.
        tokenizer = attended(job, read)
    except DepthkitError:
        raise
    except (
        BaseException
    ) as error:  # A tokenizer raises whatever it likes, and a panic of its Rust is no Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise unreadable_tokenizer(folder, error) from error
    assert isinstance(tokenizer, PreTrainedTokenizerBase)
    return tokenizer


def _align(model: PreTrainedModel, job: Job) -> None:
    """Copy parameters that lie in the mapped file at odd addresses.

    Matrix kernels take another path for those, and the last bits of a logit then depend on how a
    checkpoint happens to be laid out. The copy also makes the model independent of the file.
    """
    threads = torch.get_num_threads()
    # Copying is bound by memory. With more threads each copy ends in a barrier that waits for the
    # thread whose core is busy hashing: 2 s in place of 0.3 s for 135M parameters on two cores.
    torch.set_num_threads(1)
    try:
        for parameter in _unaligned(model.parameters()):
            job.check()
            parameter.data = parameter.data.clone()
    finally:
        torch.set_num_threads(threads)


def _unaligned(parameters: Iterable[torch.nn.Parameter]) -> list[torch.nn.Parameter]:
    # Packed weights are unpacked first, to a place of their own.
    return [
        one
        for one in parameters
        if one.is_floating_point() and one.device.type == "cpu" and one.data_ptr() % ALIGNMENT_BYTES
    ]


def _check_devices(options: ModelOptions) -> None:
    """Refuse what needs no look at the model. Devices that are not there are refused here too."""
    if options.device_map is None:
        _check_attention(options.attention, choose_device(options.device))
        return
    if options.device != "auto":
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"The model was to go to {options.device} and to be spread over {options.device_map}. Give one "
            "of device and deviceMap.",
            device=options.device,
            deviceMap=options.device_map,
        )
    for device in mapped_devices(options.device_map):
        _check_attention(options.attention, device)


def _places(
    options: ModelOptions, stored: StoredWeights, depth: int, dtype: torch.dtype | None
) -> list[torch.device]:
    """The device of every block."""
    if options.device_map is None:
        return [choose_device(options.device)] * depth
    return plan_blocks(options.device_map, stored, depth, dtype)


def _check_attention(attention: AttentionChoice, device: torch.device) -> None:
    if attention != "flash_attention_2":
        return
    if device.type != "cuda":
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"flash_attention_2 runs on CUDA devices only, and the model goes to {device}. Use sdpa.",
            attention=attention,
            device=str(device),
        )
    if importlib.util.find_spec("flash_attn") is None:
        raise DepthkitError(
            "MODULE_MISSING",
            "flash_attention_2 needs the Python module flash_attn, which is not installed. Use sdpa, or "
            "install it.",
            module="flash_attn",
        )
