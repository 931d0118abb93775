"""Exports in mlx-lm: its own model, with the modelling file that depthkit's own layout carries for it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
    PreTrainedTokenizerBase,
    Qwen2Config,
    Qwen3Config,
)

from depthkit_worker.contract.wire import ExportCheckParams, ExportCheckResult
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.check_checkpoint import check_checkpoint, check_here
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.own_layout.mlx import MLX_FILE
from depthkit_worker.models.stream_updates import Constant, FeedForward, Linear, LowRank, Scale, SwiGlu
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.repair import BlockEdit, slot_of
from depthkit_worker.repair.storage import make_repair
from depthkit_worker.session.job import Unattended
from export.checkpoints import save, saved_config
from models.folders import loaded
from tiny import SHAPE, random_model

UNITS = (Unit("attention", 0), Unit("feed-forward", 1), Unit("block", 2), Unit("attention", 4))
"""The first attention, a feed-forward, a whole block, and an attention that follows another one."""

_LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 5e4,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
CONFIGS: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(
        **SHAPE, attention_bias=True, mlp_bias=True, head_dim=6, rope_parameters=_LLAMA3_ROPE
    ),
    "llama, tied": LlamaConfig(**SHAPE, tie_word_embeddings=True),
    "mistral": MistralConfig(**SHAPE, sliding_window=None),
    "qwen2": Qwen2Config(**SHAPE, rope_parameters={"rope_type": "default", "rope_theta": 3e5}),
    "qwen3": Qwen3Config(**SHAPE, head_dim=8),
}


def random(*shape: int, seed: int, scale: float = 0.1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


def in_mlx(folder: Path, trust_remote_code: bool = False) -> ExportCheckResult:
    return check_here(folder, "mlx-lm", trust_remote_code, Unattended())


def held(found: ExportCheckResult) -> None:
    assert found.runtime.startswith("mlx-lm ")
    assert found.largest_difference < 1e-4
    assert (found.agreement, found.written, found.cached) == (1, 1, 1)
    assert found.left_padded is None


@pytest.mark.parametrize("name", CONFIGS)
def test_sublayers_gone_answer_as_in_memory(
    name: str, words: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    result = save(Decoder(random_model(CONFIGS[name]), words), UNITS, tmp_path / "out")
    assert any("mlx-lm loads it with --trust-remote-code" in note for note in result.notes)
    assert saved_config(tmp_path / "out")["model_file"] == MLX_FILE
    held(found := in_mlx(tmp_path / "out", trust_remote_code=True))
    assert found.kv_bytes_per_token == result.kv_bytes_per_token_after


@pytest.mark.parametrize("kind", ["constant", "normed", "raw", "linear", "scale", "feed-forward", "swiglu"])
def test_every_update_answers_as_in_memory(kind: str, words: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    decoder = Decoder(random_model(CONFIGS["llama"]), words)
    hidden, width = decoder.hidden_size, 5
    down, up = random(hidden, width, seed=1), random(width, hidden, seed=2)
    updates: dict[str, nn.Module] = {
        "constant": Constant(random(hidden, seed=3)),
        "normed": LowRank(down, up, random(hidden, seed=3), "normed", 1e-6),
        "raw": LowRank(down, up, None, "raw", 1e-6),
        "linear": Linear(random(hidden, hidden, seed=3, scale=0.02), random(hidden, seed=4)),
        "scale": Scale(1.3),
        "feed-forward": FeedForward(down, random(width, seed=3), up, random(hidden, seed=4)),
        "swiglu": SwiGlu(random(hidden, width, seed=3), down, up),
    }
    # In front of the first attention, behind one, and beside the removed sublayer of a block.
    units = (Unit("block", 0), Unit("attention", 2), Unit("feed-forward", 3))
    repairs = []
    for unit in units:
        slots: dict[str, Any] = {slot_of(unit.kind, decoder.parallel): copy.deepcopy(updates[kind])}
        repairs.append(make_repair(decoder, "by-hand", [unit], {unit.index: BlockEdit(**slots)}, "{}"))
    save(decoder, units, tmp_path / "out", tuple(repairs))
    held(in_mlx(tmp_path / "out", trust_remote_code=True))


def test_a_plain_export_is_held_to_it_too_in_a_process_of_its_own(
    words: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    save(Decoder(random_model(CONFIGS["llama"]), words), (Unit("block", 1),), tmp_path / "out")
    params = ExportCheckParams(folder=str(tmp_path / "out"), runtime="mlx-lm")
    held(check_checkpoint(params, Unattended()))


def test_a_file_that_would_be_run_is_asked_for(words: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    save(Decoder(random_model(CONFIGS["llama"]), words), UNITS, tmp_path / "out")
    with pytest.raises(DepthkitError, match="set trustRemoteCode"):
        in_mlx(tmp_path / "out")


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (MistralConfig(**SHAPE, sliding_window=8), "mistral has no sliding windows"),
        (
            Qwen2Config(**SHAPE, use_sliding_window=True, sliding_window=8, max_window_layers=2),
            "qwen2 has no sliding windows",
        ),
        (LlamaConfig(**SHAPE, hidden_act="gelu"), "silu in its feed-forwards, not gelu"),
        (Qwen3Config(**SHAPE, attention_bias=True), "no biases in its attentions"),
        (Qwen2Config.from_dict({**SHAPE, "head_dim": 16}), "qwen2 has heads of 8"),
        (
            LlamaConfig(**SHAPE, rope_parameters={"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}),
            "rotary positions (dynamic) in another way",
        ),
    ],
)
def test_what_mlx_computes_otherwise_is_said(config: PreTrainedConfig, why: str, tmp_path: Path) -> None:
    result = save(Decoder(random_model(config)), UNITS, tmp_path / "out")
    [note] = [note for note in result.notes if note.startswith("mlx-lm does not load it: ")]
    assert why in note
    assert "model_file" not in saved_config(tmp_path / "out")
    assert not (tmp_path / "out" / MLX_FILE).exists()


def test_what_comes_back_in_and_leaves_plain_names_no_file_for_it(
    words: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    save(Decoder(random_model(CONFIGS["llama"]), words), (Unit("attention", 2),), tmp_path / "own")
    back = loaded(tmp_path / "own", tmp_path)
    again = save(back, (), tmp_path / "again")
    assert again.layout == "depthkit"
    held(in_mlx(tmp_path / "again", trust_remote_code=True))
    plain = save(back, (Unit("block", 2),), tmp_path / "plain")
    assert plain.layout == "plain"
    assert "model_file" not in saved_config(tmp_path / "plain")
    held(in_mlx(tmp_path / "plain"))
