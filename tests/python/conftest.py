"""What all tests of the worker share: one thread, and the bundled model."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

# Read when Triton is first imported, which torch does: without a GPU kernels run in Triton's interpreter.
os.environ.setdefault("TRITON_INTERPRET", "0" if Path("/dev/nvidiactl").exists() else "1")

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from depthkit_worker.models.bundled import bundled_folder
from depthkit_worker.models.manifest import read_manifest
from depthkit_worker.models.quiet import quiet_transformers
from hub_server import TOKEN, Hub, serving
from tiny import VOCABULARY

# What a bench compares with, a test does as well.
for bench in ("lm-eval", "scale"):
    sys.path.append(str(Path(__file__).resolve().parents[2] / "bench" / bench))


# With DEPTHKIT_GPU=cpu the tests of tests/python/gpu can be tried where there is no CUDA device.
GPU = torch.cuda.is_available() or "DEPTHKIT_GPU" in os.environ
collect_ignore = [] if GPU else ["gpu"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not GPU:
        terminalreporter.write_line(
            "No CUDA device: tests/python/gpu, which compares one with the CPU, was left out."
        )


def pytest_configure() -> None:
    # Tiny models gain nothing from more threads, and on a busy machine every barrier between threads
    # waits for the slowest core: minutes in place of seconds.
    torch.set_num_threads(1)
    quiet_transformers()
    gc.disable()


def pytest_collection_finish() -> None:
    """What was imported and collected stays: no look for garbage goes through it, as in a worker."""
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    gc.unfreeze()


def _cache_folder() -> Path:
    home = os.environ.get("DEPTHKIT_HOME")
    if home:
        return Path(home)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "depthkit"


@pytest.fixture(scope="session")
def bundled_model() -> Path:
    """The folder of SmolLM2-135M, as set-up converts it."""
    given = os.environ.get("DEPTHKIT_TEST_MODEL")
    folder = Path(given) if given else bundled_folder("smollm2-135m", _cache_folder())
    if read_manifest(folder) is None:
        pytest.fail(
            f"The bundled model is not in {folder}. Run `npx depthkit setup`, or set DEPTHKIT_TEST_MODEL."
        )
    return folder


@pytest.fixture(scope="session")
def smollm2_tokenizer(bundled_model: Path) -> PreTrainedTokenizerBase:
    tokenizer = AutoTokenizer.from_pretrained(bundled_model)
    assert isinstance(tokenizer, PreTrainedTokenizerBase)
    return tokenizer


@pytest.fixture(scope="session")
def words() -> PreTrainedTokenizerBase:
    """A tokenizer whose token N is the word tN."""
    vocabulary = {f"t{number}": number for number in range(VOCABULARY)}
    plain = Tokenizer(models.WordLevel(vocabulary, unk_token="t0"))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=plain, unk_token="t0")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub on this machine, which the library takes for the real one."""
    with serving() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        yield hub
