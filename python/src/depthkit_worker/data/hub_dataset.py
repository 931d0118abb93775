"""Fetching files of a dataset of the Hugging Face hub, in a process of its own."""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from depthkit_worker.data.suffixes import SUFFIXES, suffix_in
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.child import child_main
from depthkit_worker.models.hub import HubFiles, fetch
from depthkit_worker.session.job import Job

_CONVERTED = "refs/convert/parquet"
"""The branch that the hub makes for most datasets: CONFIGURATION/SPLIT/0000.parquet and so on."""
_PIECE = re.compile(r"\d{4,}(-of-\d{4,})?")
"""The number of one file among those that a split is cut into."""
_MOST_TOLD = 12
_KEEPS_LISTINGS = "2.4"
"""The release of huggingface_hub that this was made and tested with."""


def fetch_dataset(name: str, job: Job) -> dict[str, Any]:
    """`hf://datasets/OWNER/NAME[@REVISION]/PATH`, where PATH is a file's or a pattern of several.

    Returns:
        `id`; `folder`, the snapshot's; `files`, the paths in it, sorted.
    """
    _require_listings()
    asked = _asked(name)
    # The listing first: what cannot be read is refused before it is fetched.
    folder = fetch(replace(asked, patterns=()), job)
    commit = Path(folder).name
    files = [file for file in _listed(asked, commit) if any(fnmatchcase(file, one) for one in asked.patterns)]
    if not files:
        raise _no_file(name, asked, commit)
    other = [file for file in files if suffix_in(file) is None]
    if other:
        raise DepthkitError(
            "UNSUPPORTED_FORMAT",
            f"Reading {name}: {other[0]} ends in none of {', '.join(SUFFIXES)}. Name a file, or write a "
            "pattern, that ends in one.",
            name=name,
            allowed=list(SUFFIXES),
        )
    fetch(replace(asked, revision=commit), job)
    return {"id": asked.id, "folder": folder, "files": files}


def _require_listings() -> None:
    """An interpreter of the user's own may hold any release."""
    import huggingface_hub

    if not hasattr(huggingface_hub, "get_cached_repo_tree"):
        raise DepthkitError(
            "MODULE_MISSING",
            f"huggingface_hub is at {huggingface_hub.__version__}, which keeps no lists of files, and data "
            f"of the hub is read by them. In the Python of your own: "
            f'"{sys.executable}" -m pip install "huggingface_hub>={_KEEPS_LISTINGS}"',
            module="huggingface_hub",
            version=huggingface_hub.__version__,
        )


def _asked(name: str) -> HubFiles:
    from huggingface_hub import errors, parse_hf_uri

    try:
        uri = parse_hf_uri(name.replace("@~parquet", f"@{_CONVERTED}", 1))
    except errors.HfUriError as error:
        raise _no_name(name, str(error)) from error
    if uri.type != "dataset":
        raise _no_name(name, f"it names a {uri.type}")
    patterns = (uri.path_in_repo,) if uri.path_in_repo else ()
    return HubFiles("dataset", uri.id, uri.revision, patterns)


def _listed(asked: HubFiles, commit: str) -> list[str]:
    """Every file of the commit, from the library's cache, where `fetch` has just put them."""
    from huggingface_hub import errors, get_cached_repo_tree

    try:
        tree = get_cached_repo_tree(asked.id, repo_type="dataset", revision=commit)
    except errors.CachedRepoTreeNotFoundError as error:
        raise DepthkitError(
            "NETWORK",
            f"The Hugging Face hub cannot be asked for the files of {asked.id}, and no earlier list of them "
            "is on this machine. Connect once, with HF_HUB_OFFLINE unset.",
            id=asked.id,
        ) from error
    return sorted(file.path for file in tree)


def _no_file(name: str, asked: HubFiles, commit: str) -> DepthkitError:
    front = f"hf://datasets/{asked.id}" + ("" if asked.revision is None else f"@{asked.revision}")
    readable = [file for file in _listed(asked, commit) if suffix_in(file) is not None]
    kinds = list(dict.fromkeys(_PIECE.sub("*", file) for file in readable))
    what = f"has no file {asked.patterns[0]}" if asked.patterns else "holds files; name one, or a pattern"
    words = [f"{front}/{kind}" for kind in kinds[:_MOST_TOLD]]
    if len(kinds) > _MOST_TOLD:
        words.append(f"and {len(kinds) - _MOST_TOLD} more")
    there = f"There are: {', '.join(words)}." if words else "It has none that can be read here."
    converted = (
        ""
        if asked.revision == _CONVERTED
        else f" As Parquet, where the hub converts it: hf://datasets/{asked.id}@~parquet."
    )
    return DepthkitError(
        "FILE_NOT_FOUND", f"Reading {name}: the dataset {what}. {there}{converted}", name=name, allowed=words
    )


def _no_name(name: str, reason: str) -> DepthkitError:
    return DepthkitError(
        "INVALID_ARGUMENT",
        f"Reading {name}: {reason.rstrip('.')}. Data on the Hugging Face hub is named "
        "hf://datasets/OWNER/NAME/PATH, or hf://datasets/OWNER/NAME@REVISION/PATH.",
        name=name,
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m depthkit_worker.data.hub_dataset")
    parser.add_argument("name")
    given = parser.parse_args()
    return child_main(lambda job: fetch_dataset(given.name, job), stop_with_parent=True)


if __name__ == "__main__":
    sys.exit(main())
