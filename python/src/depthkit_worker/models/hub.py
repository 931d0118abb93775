"""Fetching a checkpoint from the Hugging Face hub, in a process of its own.

The download lands in the library's usual cache, where what other tools fetched is found and what was
interrupted is taken up again. Without a network a model that is in the cache still loads.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from depthkit_worker.disk_full import disk_full
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.child import child_main, run_child
from depthkit_worker.session.job import Job

PHASE = "downloading"
_ALWAYS = ["*.json", "*.jinja", "*.model", "*.txt"]


@dataclass(frozen=True)
class HubModel:
    id: str
    revision: str | None
    with_code: bool


def fetch_in_child(model: HubModel, job: Job) -> Path:
    """The folder of `model`'s snapshot, named after its commit."""
    arguments = ["--id", model.id]
    if model.revision is not None:
        arguments += ["--revision", model.revision]
    if model.with_code:
        arguments.append("--with-code")
    return Path(run_child("depthkit_worker.models.hub", arguments, job))


def fetch(model: HubModel, job: Job) -> str:
    from huggingface_hub import errors, snapshot_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    # OSError and the error of the hub's HTTP client, which is another module from release to release.
    transport = cast("tuple[type[Exception], ...]", errors.HfHubHTTPError.__bases__)
    named = model.id if model.revision is None else f"{model.id} at revision {model.revision}"
    patterns = [*_ALWAYS, *(["*.py"] if model.with_code else [])]
    try:
        job.report(PHASE, 0, 2, "steps")
        folder = snapshot_download(
            model.id, revision=model.revision, allow_patterns=[*patterns, "*.safetensors"]
        )
        job.report(PHASE, 1, 2, "steps")
        if not any(Path(folder).glob("*.safetensors")):
            folder = snapshot_download(model.id, revision=model.revision, allow_patterns=[*patterns, "*.bin"])
        job.report(PHASE, 2, 2, "steps")
        return folder
    except errors.GatedRepoError as error:
        raise DepthkitError(
            "MODEL_NOT_FOUND",
            f"{named} asks for its licence to be accepted. Accept it on the model's page, then log in "
            "with `hf auth login` or set HF_TOKEN.",
            id=model.id,
        ) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise DepthkitError(
            "MODEL_NOT_FOUND",
            f"The Hugging Face hub has no model {named}, or it is private and no token is set.",
            id=model.id,
            revision=model.revision,
        ) from error
    except errors.HFValidationError as error:
        raise DepthkitError(
            "MODEL_NOT_FOUND", f"{model.id!r} is not a hub id: {error}", id=model.id
        ) from error
    except transport as error:
        if disk_full(error) is not None:
            raise
        raise DepthkitError(
            "NETWORK",
            f"{named} is not on this machine and could not be fetched from the Hugging Face hub: {error}",
            id=model.id,
            revision=model.revision,
        ) from error


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m depthkit_worker.models.hub")
    parser.add_argument("--id", required=True)
    parser.add_argument("--revision")
    parser.add_argument("--with-code", action="store_true")
    given = parser.parse_args()
    model = HubModel(given.id, given.revision, given.with_code)
    return child_main(lambda job: fetch(model, job), stop_with_parent=True)


if __name__ == "__main__":
    sys.exit(main())
