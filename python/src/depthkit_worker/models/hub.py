"""Fetching files of a repository of the Hugging Face hub, in a process of its own.

They land in the library's usual cache, where what other tools fetched is found and what was interrupted is
taken up again. Without a network what is in the cache still loads, where all of it is there.
"""

from __future__ import annotations

import argparse
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from depthkit_worker.disk_full import disk_full
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.child import child_main, run_child
from depthkit_worker.session.job import Job

PHASE = "downloading"
_NOT_FOUND = {"model": "MODEL_NOT_FOUND", "dataset": "FILE_NOT_FOUND"}
_ABOUT_A_MODEL = ("*.json", "*.jinja", "*.model", "*.txt")


@dataclass(frozen=True)
class HubFiles:
    """The files of a repository that match one of `patterns` (`*` stands for any characters, "/" too)."""

    kind: Literal["model", "dataset"]
    id: str
    revision: str | None
    patterns: tuple[str, ...]


def fetch_model(id_: str, revision: str | None, job: Job, *, with_code: bool) -> Path:
    """The folder of a model's snapshot, named after its commit. Old weights only where there are no other."""
    about = (*_ABOUT_A_MODEL, *(["*.py"] if with_code else []))
    folder = fetch_in_child(HubFiles("model", id_, revision, (*about, "*.safetensors")), job)
    if any(folder.glob("*.safetensors")):
        return folder
    return fetch_in_child(HubFiles("model", id_, revision, (*about, "*.bin")), job)


def fetch_in_child(asked: HubFiles, job: Job) -> Path:
    """The folder of the snapshot, named after its commit. It may hold other files too, fetched before.

    Raises:
        DepthkitError: `MODEL_NOT_FOUND` or, for a dataset, `FILE_NOT_FOUND`; `NETWORK`.
    """
    arguments = ["--kind", asked.kind, "--id", asked.id]
    if asked.revision is not None:
        arguments += ["--revision", asked.revision]
    return Path(run_child("depthkit_worker.models.hub", [*arguments, "--", *asked.patterns], job))


def fetch(asked: HubFiles, job: Job) -> str:
    from huggingface_hub import errors, snapshot_download

    # OSError and the error of the hub's HTTP client, which is another module from release to release.
    transport = cast("tuple[type[Exception], ...]", errors.HfHubHTTPError.__bases__)
    named = asked.id if asked.revision is None else f"{asked.id} at revision {asked.revision}"
    not_found = _NOT_FOUND[asked.kind]
    job.report(PHASE, 0, None, "bytes")
    try:
        return snapshot_download(
            asked.id,
            repo_type=asked.kind,
            revision=asked.revision,
            allow_patterns=list(asked.patterns),
            tqdm_class=_told_to(job),
        )
    except errors.GatedRepoError as error:
        raise DepthkitError(
            not_found,
            f"{named} asks for its licence to be accepted. Accept it on the {asked.kind}'s page, then log in "
            "with `hf auth login` or set HF_TOKEN.",
            id=asked.id,
        ) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise DepthkitError(
            not_found,
            f"The Hugging Face hub has no {asked.kind} {named}, or it is private and no token is set.",
            id=asked.id,
            revision=asked.revision,
        ) from error
    except errors.HFValidationError as error:
        raise DepthkitError(not_found, f"{asked.id!r} is not a hub id: {error}", id=asked.id) from error
    except transport as error:
        if disk_full(error) is not None:
            raise
        raise DepthkitError(
            "NETWORK",
            f"{named} is not wholly on this machine and could not be fetched from the Hugging Face hub: "
            f"{error}",
            id=asked.id,
            revision=asked.revision,
        ) from error


def _told_to(job: Job) -> type[Any]:
    """A bar of the library's that shows nothing and reports its bytes. The total grows as files begin."""
    from huggingface_hub.utils.tqdm import tqdm

    report = threading.Lock()

    class Told(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            # There are others, of whole files and of what comes over the wire before it is unpacked.
            self._tells = kwargs.get("name") == "huggingface_hub.snapshot_download"
            self._done = 0
            # tqdm has no types.
            super().__init__(*args, **{**kwargs, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> None:
            with report:
                self._done += int(n or 0)
                if self._tells:
                    job.report(PHASE, self._done, int(self.total or 0) or None, "bytes")

    return Told


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m depthkit_worker.models.hub")
    parser.add_argument("--kind", choices=tuple(_NOT_FOUND), required=True)
    parser.add_argument("--id", required=True)
    parser.add_argument("--revision")
    parser.add_argument("patterns", nargs="+")
    given = parser.parse_args()
    asked = HubFiles(given.kind, given.id, given.revision, tuple(given.patterns))
    return child_main(lambda job: fetch(asked, job), stop_with_parent=True)


if __name__ == "__main__":
    sys.exit(main())
