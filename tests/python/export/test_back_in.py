"""What was exported in depthkit's own layout, loaded again: the model in memory, the files and the model that
comes back are one, and the one that comes back is pruned and exported like any other."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import (
    AutoModelForCausalLM,
    DynamicCache,
    PreTrainedTokenizerBase,
    Trainer,
    TrainingArguments,
)

from depthkit_worker.contract.wire import EngineOptions, InfluenceGradientOptions, InfluenceOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.influence.gradients import gradient_influence
from depthkit_worker.influence.static import static_influence
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.profiling.unit_costs import unit_costs
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.engine import evaluate_subnetworks
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.masks import Subnetworks
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from export.checkpoints import greedy, logits, reload, save, saved_config
from export.test_depthkit_form import UNITS, fill, fills, low_rank
from models.folders import change_config, loaded, refusal
from subnetworks.physical import corpus_of
from tiny import FAMILY_MODELS, tiny_model, token_ids

IDS = token_ids(2, 11)


def tensors_of(folder: Path) -> dict[str, torch.Tensor]:
    return {name: tensor for path in folder.glob("*.safetensors") for name, tensor in load_file(path).items()}


def back_in(name: str, words: PreTrainedTokenizerBase, folder: Path, *, repaired: bool = True) -> Decoder:
    decoder = Decoder(tiny_model(name), words)
    save(decoder, UNITS, folder, fills(decoder) if repaired else ())
    return loaded(folder, folder.parent)


@pytest.mark.parametrize("repaired", [False, True])
@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_what_comes_back_is_what_was_exported(
    name: str, repaired: bool, words: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    back = back_in(name, words, tmp_path / "o", repaired=repaired)
    exported = reload(tmp_path / "o", trust_remote_code=True)
    expected = logits(exported, IDS)
    assert torch.equal(logits(back.model, IDS), expected)
    replay = back.begin(IDS)
    with torch.no_grad():
        assert torch.equal(back.logits(back.stream(replay, back.depth), replay), expected)
    with removed(Subnetwork(back)):
        assert greedy(back.model, IDS[:1], cache=DynamicCache()) == greedy(exported, IDS[:1])
    assert type(back.model).__module__.startswith("transformers.models.")
    assert back.depth == (6 if repaired else 5)
    save(back, (), tmp_path / "again")
    mine, theirs = tensors_of(tmp_path / "o"), tensors_of(tmp_path / "again")
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize("name", ["llama", "gpt_neox-parallel", "gemma3_text", "qwen2_moe", "opt"])
def test_it_is_measured_and_pruned_further_like_any_other(
    name: str, words: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    back = back_in(name, words, tmp_path / "o")
    assert list(map(str, back.absent_units)) == [
        "attention.0",
        "feed-forward.1",
        "attention.2",
        "feed-forward.2",
        "attention.4",
    ]
    corpus = corpus_of(list(IDS))
    here = [Unit.parse(f"{kind}.{index}") for kind in ("attention", "feed-forward") for index in range(6)]
    here = [unit for unit in here if unit not in back.absent_units]
    removals = [(), *((unit,) for unit in here), *((Unit("block", index),) for index in range(6))]
    removals += [(Unit("feed-forward", 0), Unit("block", 2), Unit("attention", 3))]
    units = tuple(sorted({unit for removal in removals for unit in removal}))
    kept = np.array([[unit not in removal for unit in units] for removal in removals])
    asked = Subnetworks(units, kept)
    values = evaluate_subnetworks(back, corpus, asked, ("loss", "kl"), EngineOptions(), Unattended()).values
    for removal, (loss, _) in zip(removals, values, strict=True):
        with removed(Subnetwork(back, removal)):
            live = logits(back.model, IDS)
        expected = torch.nn.functional.cross_entropy(live[:, :-1].flatten(0, 1), IDS[:, 1:].flatten())
        assert loss == pytest.approx(float(expected), abs=1e-5)
    removal = removals[-1]
    repair = fill(back, Unit("attention", 3), low_rank(back))
    result = save(back, removal, tmp_path / "smaller", (repair,) if not back.parallel else ())
    smaller = reload(tmp_path / "smaller", trust_remote_code=True)
    with removed(Subnetwork(back, removal, (repair,) if not back.parallel else ())):
        assert torch.equal(logits(smaller, IDS), logits(back.model, IDS))
    assert torch.equal(logits(loaded(tmp_path / "smaller", tmp_path).model, IDS), logits(smaller, IDS))
    assert result.layout == "depthkit"
    plain = save(back, tuple(Unit("block", index) for index in (0, 1, 2, 4)), tmp_path / "plain")
    assert (plain.layout, saved_config(tmp_path / "plain")[back.family.depth_key]) == ("plain", 2)


def test_everything_that_measures_knows_what_is_absent(
    words: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    back = back_in("llama", words, tmp_path / "o")
    corpus = corpus_of(list(IDS))
    influence = static_influence(back, corpus, InfluenceOptions(), Unattended())
    assert influence.values.shape[-1] == 6
    gradients = gradient_influence(back, corpus, InfluenceGradientOptions(), Unattended())
    assert torch.isfinite(gradients.values).all()
    costs = unit_costs(back, Unattended())
    attention = next(kind for kind in costs.kinds if kind.kind == "attention")
    assert [size > 0 for size in attention.kv_bytes_per_token] == [False, True, False, True, False, True]
    assert [saved > 0 for saved in attention.parameters] == [False, True, False, True, False, True]
    with pytest.raises(DepthkitError, match=r"There is no attention\.0, feed-forward\.1 in this model"):
        Subnetwork(back, (Unit("feed-forward", 1), Unit("attention", 0), Unit("attention", 1)))


@pytest.mark.parametrize("how", ["trainer", "peft", "adapter"])
def test_what_was_trained_elsewhere_comes_back(
    how: str, words: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    base = back_in("llama-tied", words, tmp_path / "o")
    before = tensors_of(tmp_path / "o")
    model: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "o", trust_remote_code=True)
    if how == "trainer":
        arguments = TrainingArguments(
            str(tmp_path / "runs"), max_steps=1, learning_rate=1e-2, report_to=[], save_strategy="no"
        )
        rows = [{"input_ids": row, "labels": row} for row in IDS]
        trainer = Trainer(model, arguments, train_dataset=rows)
        trainer.train()
        trainer.save_model(str(tmp_path / "trained"))
        expected = logits(model.eval(), IDS)
    else:
        wrapped: Any = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj", "down_proj"]))
        step = torch.optim.AdamW(wrapped.parameters(), lr=5e-2)
        for _ in range(2):  # The first leaves what reads at zero.
            wrapped(input_ids=IDS, labels=IDS).loss.backward()
            step.step()
        expected = logits(wrapped.eval(), IDS)
        if how == "peft":
            wrapped.merge_and_unload().save_pretrained(tmp_path / "trained")
        else:
            wrapped.save_pretrained(tmp_path / "adapter")
    words.save_pretrained(tmp_path / "trained")
    if how == "adapter":
        back = loaded(tmp_path / "o", tmp_path, adapter=str(tmp_path / "adapter"))
    else:
        back = loaded(tmp_path / "trained", tmp_path)
        changed = tensors_of(tmp_path / "trained")
        assert changed.keys() == before.keys()
        name = "model.layers.0.before.0.updates.before.down"
        assert torch.equal(changed[name], before[name]) == (how == "peft")
    assert back.source.weights_digest != base.source.weights_digest
    assert torch.allclose(logits(back.model, IDS), expected, atol=2e-5)
    assert not torch.allclose(logits(base.model, IDS), expected, atol=1e-2)
    save(back, (Unit("attention", 3),), tmp_path / "smaller")
    with removed(Subnetwork(back, (Unit("attention", 3),))):
        assert torch.equal(
            logits(reload(tmp_path / "smaller", trust_remote_code=True), IDS), logits(back.model, IDS)
        )


def _run_this(folder: Path) -> None:
    path = folder / "modeling_depthkit.py"
    path.write_text(path.read_text() + f"\nopen({str(folder / 'was-run')!r}, 'w')\n")


def _other_numbers(folder: Path) -> None:
    path = folder / "modeling_depthkit.py"
    path.write_text(path.read_text().replace("return x * (self.factor - 1)", "return x * self.factor"))


def _widen(folder: Path) -> None:
    layout = saved_config(folder)["layout"]
    layout[0]["before"][0]["updates"]["before"]["rank"] = 1 << 20
    change_config(folder, layout=layout)


def _attention_gone(folder: Path) -> None:
    layout = saved_config(folder)["layout"]
    layout[1]["block"]["without"] = ["attention"]
    change_config(folder, layout=layout)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_run_this, "is not the modelling file that this depthkit writes"),
        (_other_numbers, "It was not run. Put back the file of the export"),
        (lambda folder: (folder / "modeling_depthkit.py").unlink(), "has no modeling_depthkit.py"),
        (lambda folder: change_config(folder, layout=[]), "layout has no entry for each of the 3 layers"),
        (_attention_gone, "the block of a layer has an attention"),
        (_widen, "it describes a model of"),
        (lambda folder: change_config(folder, model_type="depthkit_other"), "the architecture 'other'"),
        (lambda folder: change_config(folder, num_hidden_layers="3"), "the number of blocks is '3'"),
    ],
)
def test_a_folder_that_is_not_ours_is_refused_and_never_run(
    damage: Callable[[Path], object], said: str, words: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    back_in("llama", words, tmp_path / "o")
    shutil.copytree(tmp_path / "o", tmp_path / "damaged")
    damage(tmp_path / "damaged")
    assert said in refusal(tmp_path / "damaged", tmp_path, trust_remote_code=True).message
    assert not (tmp_path / "damaged" / "was-run").exists()
