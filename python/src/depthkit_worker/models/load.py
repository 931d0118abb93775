"""Loading a model as a `Decoder`: every tensor in its place, or an error that says which is not."""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from packaging.version import Version
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedConfig, PreTrainedModel

from depthkit_worker.contract.wire import AttentionChoice, ModelOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.memory.out_of_memory import is_out_of_memory
from depthkit_worker.models.checkpoint import read_config, require_tokenizer, stored_dtype, weight_files
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.devices import choose_device
from depthkit_worker.models.families import FAMILIES, family_of
from depthkit_worker.models.find import find_model
from depthkit_worker.models.folders import sha256_of_files
from depthkit_worker.models.quiet import quiet_transformers
from depthkit_worker.models.source import Source
from depthkit_worker.session.job import Job, cancelled

PHASE = "loading"
ALIGNMENT_BYTES = 64
OLDEST_TRANSFORMERS = Version("5.17")
"""All tests but those of lm-eval were run with it, too."""


def load_model(source: str, cache_folder: Path, options: ModelOptions, job: Job) -> Decoder:
    """Load `source`: a bundled name, a folder, a .gguf file or a hub id. Refuses a checkpoint that lacks a
    tensor, has one too many or one of another shape: a model that is partly random answers, only wrongly."""
    quiet_transformers()
    _require_transformers()
    device = choose_device(options.device)
    _check_attention(options.attention, device)
    found = find_model(source, cache_folder, options, job)
    folder = found.folder
    config = _config(folder, options.trust_remote_code)
    files = weight_files(folder)
    require_tokenizer(folder)
    stored = stored_dtype(folder, files)
    dtype = getattr(torch, stored if options.dtype == "auto" else options.dtype)
    job.check()
    job.report(PHASE, 0, 2, "steps")
    with _digest_beside(files, job) as digest:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=options.trust_remote_code)
        model = _weights(folder, config, dtype, device, options)
        job.report(PHASE, 1, 2, "steps")
        _align(model)
        loaded = Source(source, found.revision, folder, digest.result(), stored)
    job.report(PHASE, 2, 2, "steps")
    return Decoder(model, tokenizer, loaded)


def _require_transformers() -> None:
    """An interpreter of the user's own may hold any release, and older ones let arguments they do not know pass."""
    if Version(transformers.__version__) < OLDEST_TRANSFORMERS:
        raise DepthkitError(
            "MODULE_MISSING",
            f"transformers is at {transformers.__version__}, and depthkit needs {OLDEST_TRANSFORMERS} or newer. In the "
            f'Python of your own: "{sys.executable}" -m pip install "transformers>={OLDEST_TRANSFORMERS}"',
            module="transformers",
            version=transformers.__version__,
        )


@contextmanager
def _digest_beside(files: list[Path], job: Job) -> Iterator[Future[str]]:
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


def _config(folder: Path, trust_remote_code: bool) -> PreTrainedConfig:
    content = read_config(folder)
    model_type, known = content["model_type"], sorted(FAMILIES)
    if model_type not in FAMILIES:
        hint = ""
        if model_type.startswith("depthkit_"):
            hint = (
                " It is a pruned model in depthkit's own form: transformers loads it with trust_remote_code. To go on "
                "from it here, load the model it was made from and remove the units that its README lists."
            )
        raise DepthkitError(
            "MODEL_UNSUPPORTED",
            f"{folder} has the architecture {model_type!r}, which depthkit does not know. It knows "
            f"{', '.join(known)}.{hint}",
            modelType=model_type,
            known=known,
        )
    if "quantization_config" in content:
        raise DepthkitError(
            "MODEL_UNSUPPORTED",
            f"{folder} is quantised, and depthkit takes apart plain weights. Use the checkpoint it was made from.",
            folder=str(folder),
        )
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except Exception as error:  # Validation raises whatever the configuration class likes.
        raise DepthkitError(
            "MODEL_INVALID", f"transformers refuses the configuration of {folder}: {error}", folder=str(folder)
        ) from error
    assert isinstance(config, PreTrainedConfig)
    family_of(config)
    return config


def _weights(
    folder: Path, config: PreTrainedConfig, dtype: torch.dtype, device: torch.device, options: ModelOptions
) -> PreTrainedModel:
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=dtype,
            device_map={"": device} if device.type != "cpu" else None,
            attn_implementation=None if options.attention == "auto" else options.attention,
            trust_remote_code=options.trust_remote_code,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # Reported below, with the other faults.
        )
    except (SafetensorError, OSError, RuntimeError, ValueError, MemoryError) as error:
        if is_out_of_memory(error):
            raise DepthkitError(
                "OUT_OF_MEMORY", f"{folder} does not fit into the memory of {device}: {error}", device=str(device)
            ) from error
        raise DepthkitError(
            "MODEL_INVALID", f"The weights in {folder} cannot be loaded: {error}", folder=str(folder)
        ) from error
    model, report = loaded
    _refuse_faults(folder, report)
    expected = family_of(config).architecture
    if type(model).__name__ != expected:
        raise DepthkitError(
            "MODEL_UNSUPPORTED",
            f"{folder} brings its own class {type(model).__name__} where depthkit describes {expected}.",
            architecture=type(model).__name__,
        )
    assert isinstance(model, PreTrainedModel)
    model.eval()
    model.requires_grad_(False)
    return model


def _refuse_faults(folder: Path, report: dict[str, Any]) -> None:
    faults = {
        "missing": sorted(report["missing_keys"]),
        "unexpected": sorted(report["unexpected_keys"]),
        "mismatched": sorted(str(entry[0]) for entry in report["mismatched_keys"]),
    }
    if not any(faults.values()) and not report.get("error_msgs"):
        return
    said = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in faults.items() if names)
    raise DepthkitError(
        "MODEL_INVALID",
        f"The weights in {folder} do not fit its configuration. {said}{''.join(report.get('error_msgs', ()))}. "
        "Nothing is left random or ignored: repair the checkpoint.",
        folder=str(folder),
        **faults,
    )


def _align(model: PreTrainedModel) -> None:
    """Copy parameters that lie in the mapped file at odd addresses.

    Matrix kernels take another path for those, and the last bits of a logit then hang on how a
    checkpoint happens to be laid out. The copy also makes the model independent of the file.
    """
    threads = torch.get_num_threads()
    # Copying is bound by memory. With more threads each copy ends in a barrier that waits for the
    # thread whose core is busy hashing: 2 s in place of 0.3 s for 135M parameters on two cores.
    torch.set_num_threads(1)
    try:
        for parameter in _unaligned(model.parameters()):
            parameter.data = parameter.data.clone()
    finally:
        torch.set_num_threads(threads)


def _unaligned(parameters: Iterable[torch.nn.Parameter]) -> list[torch.nn.Parameter]:
    return [one for one in parameters if one.device.type == "cpu" and one.data_ptr() % ALIGNMENT_BYTES]


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
            "flash_attention_2 needs the Python module flash_attn, which is not installed. Use sdpa, or install it.",
            module="flash_attn",
        )
