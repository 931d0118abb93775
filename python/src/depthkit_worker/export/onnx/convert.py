"""A checkpoint as the graph of a decoder with its cache, in the environment of the extra `onnx`.

`python -m depthkit_worker.export.onnx.convert --checkpoint FOLDER --out FOLDER --dtypes fp32 int8` reports in
JSON lines (see `child.py`). The exporter needs an older transformers than the worker has. Nothing here
imports what the worker's environment alone has.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.onnx.files import FILES, GRAPHS, OWN_FORM, graph_name
from depthkit_worker.models.child import ChildJob, child_main
from depthkit_worker.models.first_line import first_line

PHASE = "exporting"
TASK = "text-generation-with-past"


def convert(checkpoint: Path, out: Path, dtypes: list[str], job: ChildJob) -> dict[str, Any]:
    """Write `out`: graphs in its folder `onnx`, and beside it what else transformers.js reads."""
    steps = 1 + len(dtypes)
    job.report(PHASE, 0, steps, "graphs")
    (out / GRAPHS).mkdir()
    scratch = out / "exported"
    scratch.mkdir()
    graph = _export(checkpoint, scratch)
    job.report(PHASE, 1, steps, "graphs")
    # Imported here: it brings all of onnxruntime, which a failure above has no use for.
    from depthkit_worker.export.onnx.narrow import narrow

    external = []
    for number, dtype in enumerate(dtypes):
        if narrow(graph, out / GRAPHS / graph_name(dtype), dtype):
            external.append(graph_name(dtype))
        job.report(PHASE, number + 2, steps, "graphs")
    shutil.rmtree(scratch)
    model_type = _write_config(checkpoint, out, external)
    for name in FILES:
        if (checkpoint / name).is_file():
            shutil.copyfile(checkpoint / name, out / name)
    return {"modelType": model_type, "layers": _caches(out / GRAPHS / graph_name(dtypes[0]))}


def _export(checkpoint: Path, scratch: Path) -> Path:
    import torch
    import transformers
    from optimum.exporters.onnx import onnx_export_from_model

    transformers.utils.logging.set_verbosity_error()
    own = OWN_FORM in json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    try:
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(
            checkpoint, dtype=torch.float32, trust_remote_code=own, **_attention(checkpoint)
        )
        if own:
            # The exporter goes by the family's name. One layer a kept attention is one cache a layer, as in
            # any model of it, and the graph holds what `layout` says.
            type(model.config).model_type = _family(model.config.model_type)
            model.config.model_type = type(model.config).model_type
            for name in ("auto_map", OWN_FORM):
                if hasattr(model.config, name):
                    delattr(model.config, name)
        onnx_export_from_model(model.eval(), scratch, task=TASK, do_validation=False, device="cpu")
    except Exception as error:  # Whatever libraries raise at what they do not know.
        raise DepthkitError(
            "EXPORT_UNSUPPORTED",
            f"optimum, with transformers {transformers.__version__}, does not export this model to ONNX: "
            f"{first_line(error)}. Nothing was written. Export it as huggingface, or leave repairs out.",
        ) from error
    return scratch / "model.onnx"


def _attention(checkpoint: Path) -> dict[str, str]:
    """The fused attention of this release drops Gemma 2's cap of scores, without a word."""
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    return {"attn_implementation": "eager"} if config.get("attn_logit_softcapping") else {}


def _caches(graph: Path) -> int:
    import onnx

    inputs = onnx.load(str(graph), load_external_data=False).graph.input
    return sum(one.name.startswith("past_key_values.") and one.name.endswith(".key") for one in inputs)


def _family(model_type: str) -> str:
    return model_type.removeprefix("depthkit_")


def _write_config(checkpoint: Path, out: Path, external: list[str]) -> str:
    """That of the checkpoint without its code. transformers.js goes by the family's name."""
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    if OWN_FORM in config:
        config["model_type"] = _family(config["model_type"])
        config["architectures"] = [_class_of(config["model_type"])]
        for name in ("auto_map", OWN_FORM):
            config.pop(name, None)
    if external:
        config["transformers.js_config"] = {"use_external_data_format": dict.fromkeys(external, 1)}
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return str(config["model_type"])


def _class_of(model_type: str) -> str:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return str(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[model_type])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m depthkit_worker.export.onnx.convert")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--dtypes", nargs="+", required=True)
    parser.add_argument("--stop-with-parent", action="store_true", help="end when standard input closes")
    given = parser.parse_args()
    return child_main(
        lambda job: convert(given.checkpoint, given.out, given.dtypes, job), given.stop_with_parent
    )


if __name__ == "__main__":
    sys.exit(main())
