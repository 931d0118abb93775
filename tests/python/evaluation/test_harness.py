"""lm-eval on the model in memory. Skipped where the extra is not installed."""

from __future__ import annotations

import importlib.util
import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, PreTrainedTokenizerBase

from data.builders import BOS, byte_level
from depthkit_worker.contract.wire import GenerateOptions, HarnessOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.generation import generate
from depthkit_worker.evaluation.harness import require_harness, run_harness
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.session.job import Unattended, cancelled
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from tiny import SHAPE, random_model, t_llama

with_lm_eval = pytest.mark.skipif(
    importlib.util.find_spec("lm_eval") is None, reason="lm-eval is not installed"
)
UNITS = (Unit("attention", 0), Unit("block", 3))
RECORDS = [
    {
        "question": f"What comes after {number}?",
        "choices": [f"{number + 1}", "nothing at all", "a cow"],
        "answer": 0,
    }
    for number in range(5)
]
CHOICE = """
task: local_choice
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
output_type: multiple_choice
test_split: test
doc_to_text: "Question: {{{{question}}}}\\nAnswer:"
doc_to_target: answer
doc_to_choice: "{{{{choices}}}}"
metric_list: [{{metric: acc}}]
metadata: {{version: 2.0}}
"""
WRITTEN = """
task: local_written
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
output_type: generate_until
test_split: test
doc_to_text: "Question: {{{{question}}}}\\nAnswer:"
doc_to_target: "{{{{choices[answer]}}}}"
generation_kwargs: {{until: ["\\n\\n\\n"], max_gen_toks: 6, do_sample: false}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
metadata: {{version: 1.0}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    data = tmp_path / "items.jsonl"
    data.write_text("".join(json.dumps(record) + "\n" for record in RECORDS))
    (tmp_path / "choice.yaml").write_text(CHOICE.format(data=data))
    (tmp_path / "written.yaml").write_text(WRITTEN.format(data=data))
    return tmp_path


def options(folder: Path, *tasks: str) -> HarnessOptions:
    return HarnessOptions(tasks=tasks, limit=4, batch_size=2, include_path=str(folder))


@with_lm_eval
def test_it_evaluates_the_subnetwork_and_says_how(
    folder: Path, smollm2_tokenizer: PreTrainedTokenizerBase
) -> None:
    decoder = Decoder(t_llama(), smollm2_tokenizer)
    modules, side = list(decoder.model.named_modules()), smollm2_tokenizer.padding_side
    random.seed(4)
    torch.manual_seed(4)
    expected = random.random(), torch.rand(1)
    random.seed(4)
    torch.manual_seed(4)
    outcome = run_harness(Subnetwork(decoder, UNITS), options(folder, "local_*"), Unattended())
    assert (random.random(), torch.rand(1)) == expected
    choice, written = outcome.tasks
    assert (choice.task, choice.version, choice.shots, choice.items) == ("local_choice", "2.0", 0, 4)
    assert [(metric.name, metric.filter) for metric in choice.metrics] == [("acc", "none")]
    assert choice.metrics[0].standard_error is not None
    assert choice.config_digest != written.config_digest
    assert list(decoder.model.named_modules()) == modules
    assert smollm2_tokenizer.padding_side == side
    assert "generate" not in vars(decoder.model)


@with_lm_eval
def test_its_log_likelihoods_are_the_subnetworks(
    folder: Path, smollm2_tokenizer: PreTrainedTokenizerBase
) -> None:
    decoder = Decoder(t_llama(), smollm2_tokenizer)
    samples: dict[str, Any] = {}
    run_harness(Subnetwork(decoder, UNITS), options(folder, "local_choice"), Unattended(), samples.update)
    sample = samples["local_choice"][1]
    context, choice = "Question: What comes after 1?\nAnswer:", " nothing at all"
    ids = smollm2_tokenizer(context + choice)["input_ids"]
    count = len(smollm2_tokenizer(context)["input_ids"])
    with removed(Subnetwork(decoder, UNITS)):
        logits = decoder.model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
    expected = sum(float(logits[place - 1, ids[place]]) for place in range(count, len(ids)))
    assert sample["resps"][1][0][0] == pytest.approx(expected, abs=1e-4)


@with_lm_eval
@pytest.mark.parametrize("units", [UNITS, tuple(Unit("attention", index) for index in range(6))])
def test_what_it_writes_is_what_generation_writes(
    folder: Path, smollm2_tokenizer: PreTrainedTokenizerBase, units: tuple[Unit, ...]
) -> None:
    decoder = Decoder(t_llama(), smollm2_tokenizer)
    samples: dict[str, Any] = {}
    run_harness(Subnetwork(decoder, units), options(folder, "local_written"), Unattended(), samples.update)
    texts = [sample["resps"][0][0] for sample in samples["local_written"]]
    prompts = [f"Question: {record['question']}\nAnswer:" for record in RECORDS[:4]]
    own = generate(Subnetwork(decoder, units), prompts, GenerateOptions(max_new_tokens=6), Unattended())
    assert texts == [one.text for one in own.generations]


@with_lm_eval
def test_a_chat_template_is_the_models_own_and_is_named(
    folder: Path, smollm2_tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = Decoder(t_llama(), smollm2_tokenizer)
    wanted = HarnessOptions(
        tasks=("local_choice", "local_written"),
        limit=3,
        batch_size=2,
        include_path=str(folder),
        shots=1,
        chat_template=True,
    )
    monkeypatch.setattr(
        smollm2_tokenizer,
        "chat_template",
        "{% for m in messages %}[{{ m.role }}]{{ m.content }}|{% endfor %}[assistant]",
    )
    samples: dict[str, Any] = {}
    outcome = run_harness(Subnetwork.dense(decoder), wanted, Unattended(), samples.update)
    assert outcome.chat_template
    context, choice = samples["local_choice"][0]["arguments"][1]
    assert context.endswith("[user]Question: What comes after 0?\nAnswer:|[assistant]")
    assert context.count("|[assistant]") == 2
    assert choice == "nothing at all"
    assert not run_harness(
        Subnetwork.dense(decoder), options(folder, "local_choice"), Unattended()
    ).chat_template
    # The harness's own way leaves out what a template refuses.
    monkeypatch.setattr(smollm2_tokenizer, "chat_template", "{{ raise_exception('only in French') }}")
    with pytest.raises(DepthkitError, match="only in French") as failure:
        run_harness(Subnetwork.dense(decoder), wanted, Unattended())
    assert failure.value.code == "MODEL_INVALID"
    monkeypatch.setattr(smollm2_tokenizer, "chat_template", None)
    with pytest.raises(DepthkitError, match="has no chat template") as failure:
        run_harness(Subnetwork.dense(decoder), wanted, Unattended())
    assert failure.value.code == "INVALID_ARGUMENT"


@with_lm_eval
def test_unknown_tasks_and_missing_files_are_typed_errors(
    folder: Path, smollm2_tokenizer: PreTrainedTokenizerBase
) -> None:
    decoder = Decoder(t_llama(), smollm2_tokenizer)
    (folder / "items.jsonl").unlink()
    with pytest.raises(DepthkitError) as failure:
        run_harness(Subnetwork.dense(decoder), options(folder, "local_choice"), Unattended())
    assert failure.value.code == "FILE_NOT_FOUND"
    with pytest.raises(DepthkitError) as failure:
        run_harness(
            Subnetwork.dense(decoder),
            HarnessOptions(tasks=("x",), include_path=str(folder / "nothing")),
            Unattended(),
        )
    assert failure.value.code == "FILE_NOT_FOUND"


@with_lm_eval
def test_a_cancel_is_obeyed_between_blocks(folder: Path, smollm2_tokenizer: PreTrainedTokenizerBase) -> None:
    class Soon(Unattended):
        checks = 0

        def check(self) -> None:
            self.checks += 1
            if self.checks > 20:
                raise cancelled()

    decoder = Decoder(t_llama(), smollm2_tokenizer)
    with pytest.raises(DepthkitError, match="cancelled"):
        run_harness(Subnetwork(decoder, UNITS), options(folder, "local_choice"), Soon())
    assert not any(module._forward_pre_hooks for module in decoder.model.modules())


def test_without_the_extra_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(DepthkitError, match=r"depthkit setup --with lm-eval|pip install -r") as failure:
        require_harness()
    assert failure.value.code == "MODULE_MISSING"


@with_lm_eval
def test_prompts_have_one_bos_token_and_ids_that_the_model_has(folder: Path) -> None:
    tokenizer = byte_level(bos=True, adds_bos=True)
    tokenizer.eos_token = "!"
    shape = {**SHAPE, "vocab_size": len(tokenizer)}
    decoder = Decoder(random_model(LlamaConfig(**shape)), tokenizer)
    data = folder / "items.jsonl"
    plain = run_harness(Subnetwork.dense(decoder), options(folder, "local_*"), Unattended())
    seen: list[list[int]] = []
    # One in a batch of two brings its own; the harness looks at the first alone.
    lines = [
        {**record, "question": (BOS if number % 2 else "") + "What?"} for number, record in enumerate(RECORDS)
    ]
    data.write_text("".join(json.dumps(record) + "\n" for record in lines))
    for task in ("choice", "written"):
        text = (folder / f"{task}.yaml").read_text().replace('"Question: {{', '"{{')
        (folder / f"{task}.yaml").write_text(text)
    embedding = decoder.model.get_input_embeddings()
    hook = embedding.register_forward_pre_hook(lambda _, given: seen.extend(given[0].tolist()))
    marked = run_harness(Subnetwork.dense(decoder), options(folder, "local_*"), Unattended())
    hook.remove()
    assert (plain.bos_in_text, marked.bos_in_text) == (False, True)
    assert plain.first_tokens[0].piece == marked.first_tokens[0].piece == BOS
    # The harness pads behind with the id 0, which is BOS here, and in front with EOS.
    assert tokenizer.bos_token_id == 0
    counts = ["".join("B" if token == 0 else "." for token in row).rstrip("B").count("B") for row in seen]
    # Four items whose choices share a prompt, and four that are written.
    assert max(counts) == 1 and counts.count(1) >= 8
    tokenizer.add_tokens(["What"])
    with pytest.raises(DepthkitError, match="request of lm-eval") as caught:
        run_harness(Subnetwork.dense(decoder), options(folder, "local_choice"), Unattended())
    assert (caught.value.code, caught.value.details["token"]) == ("INVALID_ARGUMENT", "What")
