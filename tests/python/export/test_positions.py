"""Plain exports in the eyes of software that takes a block's kind from its number.

Such software is played by transformers itself, on a configuration whose lists are taken away and derived
again by the rule that llama.cpp (the family's period) and MLX (the file's period, if there is one) have.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen3MoeConfig,
    SmolLM3Config,
)

from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.pattern import Pattern
from depthkit_worker.models.units import Unit
from export.checkpoints import logits, reload, save, saved_config
from tiny import EXPERTS, SHAPE, random_model, token_ids

CASES = json.loads((Path(__file__).parents[2] / "pattern-cases.json").read_text())

DEEP: dict[str, Any] = {**SHAPE, "num_hidden_layers": 12}
GEMMA: dict[str, Any] = {"head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 4}


def gemma3(**more: Any) -> PreTrainedConfig:
    rope = {
        "full_attention": {"rope_type": "default", "rope_theta": 1e4},
        "sliding_attention": {"rope_type": "default", "rope_theta": 10.0},
    }
    return Gemma3TextConfig(**DEEP, **GEMMA, rope_parameters=rope, **more)


def gemma2() -> PreTrainedConfig:
    return Gemma2Config(**DEEP, **GEMMA)


def smollm3() -> PreTrainedConfig:
    return SmolLM3Config(**DEEP)


def blocks(*numbers: int) -> tuple[Unit, ...]:
    return tuple(Unit("block", number) for number in numbers)


def by_number(folder: Path, period: int) -> PreTrainedModel:
    """The checkpoint as software runs it that reads no list, only that every `period`-th block differs."""
    content = saved_config(folder)
    places = range(1, content["num_hidden_layers"] + 1)
    kinds = ["full_attention" if place % period == 0 else "sliding_attention" for place in places]
    if content["model_type"] == "smollm3":
        derived: dict[str, Any] = {"no_rope_layers": [int(place % period != 0) for place in places]}
    else:
        derived = {"layer_types": kinds}
    (folder / "config.json").write_text(json.dumps(content | derived))
    model = AutoModelForCausalLM.from_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(content))
    assert isinstance(model, PreTrainedModel)
    model.eval()
    return model


def is_right(folder: Path, period: int) -> bool:
    ids = token_ids(2, 11)
    difference = float((logits(by_number(folder, period), ids) - logits(reload(folder), ids)).abs().max())
    assert difference < 1e-5 or difference > 1e-2
    return difference < 1e-5


@pytest.mark.parametrize("make", [gemma2, gemma3, smollm3])
def test_what_goes_by_the_number_is_wrong_exactly_where_the_note_says_so(make: Any, tmp_path: Path) -> None:
    decoder = Decoder(random_model(make()))
    assert decoder.family.periodic is not None
    period = decoder.family.periodic.period
    for number, gone in enumerate([(1, 4), (3, 4), (4, 5, 6, 7), (1, 2, 3, 4, 5, 6), (5,), (), (11,)]):
        folder = tmp_path / str(number)
        result = save(decoder, blocks(*gone), folder)
        noted = any("llama.cpp" in note for note in result.notes)
        assert noted is not is_right(folder, period), gone
        assert all(note in (folder / "README.md").read_text() for note in result.notes)


def test_the_note_names_the_blocks_the_software_and_the_nearest_sets(tmp_path: Path) -> None:
    (note,) = save(Decoder(random_model(gemma2())), blocks(1, 4), tmp_path / "o").notes
    assert note.startswith("llama.cpp would answer wrongly")
    assert "1 (was 2, sliding), 2 (was 3, full)" in note
    assert note.endswith("keep the order: block.0, block.1; block.1, block.2; block.3, block.4.")
    card = (tmp_path / "o" / "README.md").read_text()
    assert "It loads like any checkpoint" not in card
    assert save(Decoder(random_model(gemma2())), blocks(3, 4), tmp_path / "kept").notes == ()
    assert "It loads like any checkpoint" in (tmp_path / "kept" / "README.md").read_text()


@pytest.mark.parametrize("given", [None, 6])
def test_gemma3_has_the_period_in_its_file_that_mlx_reads(given: int | None, tmp_path: Path) -> None:
    more = {} if given is None else {"sliding_window_pattern": given}
    decoder = Decoder(random_model(gemma3(**more)))
    # Four sliding blocks and a full one, twice: another period, which a file can say.
    (note,) = save(decoder, blocks(0, 7), tmp_path / "five").notes
    assert saved_config(tmp_path / "five")["sliding_window_pattern"] == 5
    assert note.startswith("llama.cpp would")
    assert is_right(tmp_path / "five", 5)
    # No period at all.
    (note,) = save(decoder, blocks(1, 4), tmp_path / "none").notes
    assert note.startswith("llama.cpp and MLX would")
    assert not any("sliding_window_pattern" in name for name in saved_config(tmp_path / "none"))
    # No full block left: the period says so to what reads it, and MLX cannot run it.
    (note,) = save(decoder, blocks(5, 11), tmp_path / "sliding").notes
    assert saved_config(tmp_path / "sliding")["sliding_window_pattern"] == 11
    assert note.startswith("llama.cpp and MLX would")
    # The family's own.
    assert save(decoder, blocks(6, 11), tmp_path / "six").notes == ()
    assert saved_config(tmp_path / "six").get("sliding_window_pattern") == given
    assert is_right(tmp_path / "six", 6)


def test_smollm3_s_interval_goes_where_none_is_right(tmp_path: Path) -> None:
    decoder = Decoder(random_model(smollm3()))
    save(decoder, blocks(1, 4), tmp_path / "none")
    assert "no_rope_layer_interval" not in saved_config(tmp_path / "none")
    assert reload(tmp_path / "none").config.no_rope_layers == [1, 1, 0, 1, 1, 0, 1, 1, 1, 0]
    save(decoder, blocks(0, 4, 8), tmp_path / "three")
    assert saved_config(tmp_path / "three")["no_rope_layer_interval"] == 3


def test_qwen2_s_first_window_moves_with_the_blocks_below_it(tmp_path: Path) -> None:
    shape = {**SHAPE, "use_sliding_window": True, "sliding_window": 4}
    config = Qwen2Config(**shape, max_window_layers=3)
    result = save(Decoder(random_model(config)), blocks(1), tmp_path / "o")
    assert result.notes == ()
    saved = saved_config(tmp_path / "o")
    assert saved["max_window_layers"] == 2
    assert saved["layer_types"] == ["full_attention"] * 2 + ["sliding_attention"] * 3
    # What goes by the number alone.
    without = {name: value for name, value in saved.items() if name != "layer_types"}
    assert Qwen2Config(**without).layer_types == saved["layer_types"]


def test_qwen2_s_first_window_goes_where_windows_follow_no_rule(tmp_path: Path) -> None:
    types = ["sliding_attention", "full_attention"] * 3
    config = Qwen2Config(
        **SHAPE, use_sliding_window=True, sliding_window=4, layer_types=types, max_window_layers=3
    )
    (note,) = save(Decoder(random_model(config)), blocks(1), tmp_path / "o").notes
    assert "no max_window_layers is right" in note
    assert "max_window_layers" not in saved_config(tmp_path / "o")
    assert reload(tmp_path / "o").config.layer_types == [types[0], *types[2:]]


def test_a_stale_count_of_blocks_is_cut_where_no_window_is(tmp_path: Path) -> None:
    published: dict[str, Any] = {"max_window_layers": 6}  # No field of the library's, and passed on by it.
    config = Qwen3MoeConfig(**SHAPE, **EXPERTS, **published)
    assert save(Decoder(random_model(config)), blocks(1, 2), tmp_path / "o").notes == ()
    assert saved_config(tmp_path / "o")["max_window_layers"] == 4


def test_the_scale_that_llama_cpp_takes_from_the_depth_is_said(tmp_path: Path) -> None:
    """Gemma 2 27B: 46 blocks, attention scaled by hidden size over heads."""
    shape = {**SHAPE, "num_hidden_layers": 46, "hidden_size": 16, "intermediate_size": 8}
    config = Gemma2Config(**shape, head_dim=8, query_pre_attn_scalar=4, sliding_window=4)
    decoder = Decoder(random_model(config))
    (note,) = save(decoder, blocks(44, 45), tmp_path / "o").notes
    assert "with 44 in place of 46 that is 1/sqrt(8), not 1/sqrt(4)" in note
    assert save(decoder, (), tmp_path / "whole").notes == ()


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_nearest_sets_are_those_that_the_client_names(case: Any) -> None:
    given = case["pattern"]
    pattern = Pattern(tuple(given["kinds"]), given["period"], given["last"], ())
    assert [list(one) for one in pattern.nearest(case["removed"], 3)] == case["nearest"]


def test_the_loaded_model_says_its_pattern() -> None:
    pattern = Decoder(random_model(smollm3())).pattern
    assert pattern is not None
    assert pattern.kinds == ("rope", "rope", "rope", "no-rope") * 3
    assert (pattern.period, pattern.last, pattern.software) == (4, "no-rope", ("llama.cpp",))
    assert Decoder(random_model(Qwen2Config(**SHAPE))).pattern is None
