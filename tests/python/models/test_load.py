"""Loading: what is refused, what is repaired, and that a conversion is whole or not there."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import gguf
import pytest
import torch
import transformers
from packaging.version import Version
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerBase

from data.resources import golden, shared
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models import child, load
from depthkit_worker.models.convert_gguf import Conversion, convert_in_child
from depthkit_worker.models.devices import available_devices
from depthkit_worker.models.folders import sha256_of_files
from depthkit_worker.models.load import ALIGNMENT_BYTES
from depthkit_worker.models.manifest import MANIFEST, Manifest, read_manifest, write_manifest
from depthkit_worker.session.job import Unattended, cancelled
from models.folders import change_config, loaded, refusal, saved
from tiny import SMOLLM2_VOCABULARY, t_llama, token_ids


@pytest.fixture
def source(tmp_path: Path, smollm2_tokenizer: PreTrainedTokenizerBase) -> Path:
    return saved(t_llama(), smollm2_tokenizer, tmp_path / "source")


def test_a_loaded_model_is_the_saved_one(source: Path, tmp_path: Path) -> None:
    decoder = loaded(source, tmp_path)
    ids = token_ids(2, 9, SMOLLM2_VOCABULARY)
    assert torch.equal(decoder.model(input_ids=ids).logits, t_llama()(input_ids=ids).logits)
    assert decoder.source.weights_digest == sha256_of_files([source / "model.safetensors"], lambda: None)
    assert decoder.source.stored_dtype == "float32"
    assert not any(parameter.requires_grad for parameter in decoder.model.parameters())
    assert not decoder.model.training
    assert {parameter.data_ptr() % ALIGNMENT_BYTES for parameter in decoder.model.parameters()} == {0}


def test_auto_is_the_stored_dtype(source: Path, tmp_path: Path) -> None:
    t_llama(dtype=torch.bfloat16).save_pretrained(source)
    assert loaded(source, tmp_path).dtype == torch.bfloat16
    wide = loaded(source, tmp_path, dtype="float32")
    assert (wide.dtype, wide.source.stored_dtype) == (torch.float32, "bfloat16")


def test_run3_missing_and_unexpected_tensors_are_listed(source: Path, tmp_path: Path) -> None:
    weights = source / "model.safetensors"
    kept = {name: tensor for name, tensor in load_file(weights).items() if ".layers.2." not in name}
    save_file(kept, weights, metadata={"format": "pt"})
    change_config(source, num_hidden_layers=5)
    failure = refusal(source, tmp_path)
    assert failure.code == "MODEL_INVALID"
    assert "model.layers.2.mlp.up_proj.weight" in failure.details["missing"]
    assert "model.layers.5.mlp.up_proj.weight" in failure.details["unexpected"]
    assert {name.split(".")[2] for name in failure.details["missing"]} == {"2"}
    assert {name.split(".")[2] for name in failure.details["unexpected"]} == {"5"}


def test_run3_a_missing_head_is_missing_unless_tied(
    tmp_path: Path, smollm2_tokenizer: PreTrainedTokenizerBase
) -> None:
    folder = saved(t_llama(tied=True), smollm2_tokenizer, tmp_path / "tied")
    decoder = loaded(folder, tmp_path)
    head, embedding = decoder.model.get_output_embeddings(), decoder.model.get_input_embeddings()
    assert head.weight is embedding.weight
    change_config(folder, tie_word_embeddings=False)
    assert refusal(folder, tmp_path).details["missing"] == ["lm_head.weight"]


def test_run3_a_tensor_of_another_shape_is_listed(source: Path, tmp_path: Path) -> None:
    change_config(source, intermediate_size=96)
    failure = refusal(source, tmp_path)
    assert failure.code == "MODEL_INVALID"
    assert "model.layers.0.mlp.up_proj.weight" in failure.details["mismatched"]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "config.json").unlink(), "no config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "not JSON"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no weights"),
        (lambda folder: os.truncate(folder / "model.safetensors", 1000), "it is cut: its header alone has"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "no tokenizer"),
    ],
)
def test_a_damaged_folder_is_refused(damage: object, said: str, source: Path, tmp_path: Path) -> None:
    assert callable(damage)
    damage(source)
    failure = refusal(source, tmp_path)
    assert failure.code == "MODEL_INVALID"
    assert said in failure.message


def test_an_architecture_nobody_described_is_refused(source: Path, tmp_path: Path) -> None:
    change_config(source, model_type="my_llama")
    failure = refusal(source, tmp_path)
    assert failure.code == "MODEL_UNSUPPORTED"
    assert "my_llama" in failure.message
    assert "gpt_neox" in failure.message


def test_a_transformers_too_old_is_refused(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "OLDEST_TRANSFORMERS", Version("99.1"))
    failure = refusal(source, tmp_path)
    assert failure.code == "MODULE_MISSING"
    assert (
        f"transformers is at {transformers.__version__}, and depthkit needs 99.1 or newer" in failure.message
    )
    assert '-m pip install "transformers>=99.1"' in failure.message


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"device": "cuda:99"}, "DEVICE_UNAVAILABLE"),
        ({"device": "tpu"}, "INVALID_ARGUMENT"),
        ({"attention": "flash_attention_2"}, "INVALID_ARGUMENT"),
        ({"revision": "main"}, "INVALID_ARGUMENT"),
    ],
)
def test_options_that_cannot_be_met_are_refused(
    given: dict[str, str], code: str, source: Path, tmp_path: Path
) -> None:
    failure = refusal(source, tmp_path, **given)
    assert failure.code == code
    if "device" in given:
        assert failure.details["available"] == available_devices()


@pytest.mark.parametrize("name", ["./no/such/folder", "/no/such/folder", "nothing.gguf", "two words"])
def test_a_model_that_is_nowhere_is_not_found(name: str, tmp_path: Path) -> None:
    assert refusal(name, tmp_path).code == "MODEL_NOT_FOUND"


def test_a_bundled_name_before_set_up_says_what_to_run(tmp_path: Path) -> None:
    failure = refusal("smollm2-135m", tmp_path)
    assert failure.code == "MODEL_NOT_FOUND"
    assert "npx depthkit setup" in failure.message


def test_a_hub_id_without_a_network_is_a_network_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert refusal("nobody/nothing", tmp_path).code == "NETWORK"


def test_a_manifest_notices_an_interrupted_or_cut_folder(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"12345")
    assert read_manifest(tmp_path) is None
    write_manifest(tmp_path, Manifest("a.gguf", "f" * 64), lambda: None)
    assert read_manifest(tmp_path) == Manifest("a.gguf", "f" * 64)
    os.truncate(tmp_path / "weights", 4)
    assert read_manifest(tmp_path) is None
    (tmp_path / MANIFEST).write_text("{")
    assert read_manifest(tmp_path) is None


def test_a_file_that_is_no_gguf_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    fake = tmp_path / "fake.gguf"
    fake.write_bytes(b"not a model" * 100)
    assert refusal(fake, tmp_path / "cache").code == "MODEL_INVALID"
    assert not (tmp_path / "cache").exists()


def test_a_gguf_of_another_digest_is_refused(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "llama")
    for write in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file):
        write()
    writer.close()
    with pytest.raises(DepthkitError, match="was expected"):
        convert_in_child(Conversion(tmp_path / "a.gguf", tmp_path / "out", "0" * 64), Unattended())


def test_a_cancel_kills_the_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child sleeps for ever in a partial folder of its own making."""
    script = tmp_path / "sleeper.py"
    script.write_text("import os, time\nos.mkdir(f'{os.getpid()}.partial')\ntime.sleep(86400)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    class OnceItRuns(Unattended):
        def check(self) -> None:
            if list(tmp_path.glob("*.partial")):
                raise cancelled()

    ended: list[int] = []

    def clean_up(process: int) -> None:
        ended.append(process)
        shutil.rmtree(tmp_path / f"{process}.partial")

    with pytest.raises(DepthkitError, match="cancelled"):
        child.run_child("sleeper", [], OnceItRuns(), clean_up)
    assert len(ended) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(ended[0], 0)


def test_a_child_that_dies_is_an_error_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dying.py").write_text("import sys\nsys.exit('out of luck')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(DepthkitError, match="out of luck") as failure:
        child.run_child("dying", [], Unattended())
    assert failure.value.code == "INTERNAL"
    assert sys.executable


def test_the_bundled_model_is_the_one_of_the_reference_figures(bundled_model: Path) -> None:
    """The loss of the golden figures' first two sequences of 128 tokens, all blocks present."""
    game, figures = golden("game10.json"), golden("smollm2.json")
    decoder = loaded(bundled_model, bundled_model.parent)
    lines = (shared() / "data" / "calib_wikitext2_train.jsonl").read_text().split("\n")
    text = "\n\n".join(json.loads(line)["text"] for line in lines[:40] if line)
    assert decoder.tokenizer is not None
    ids = decoder.tokenizer(text, add_special_tokens=False)["input_ids"][:256]
    assert ids[:16] == figures["influence_8x128"]["first_ids"]
    batch = torch.tensor(ids).view(2, 128)
    logits = decoder.model(input_ids=batch, use_cache=False).logits[:, :-1]
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1).double(), batch[:, 1:].flatten())
    assert float(loss) == pytest.approx(game["loss"][1023], abs=1e-4)
