"""Putting an export on the Hugging Face hub, in a process of its own.

`python -m depthkit_worker.export.hub.push --params JSON` reports in JSON lines (see `child.py`). All that is
sent is one commit: the branch holds what it held before, or the export and nothing else.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from depthkit_worker.contract.wire import ExportedFile, HubPushParams, HubPushResult
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.child import ChildJob, child_main, run_child
from depthkit_worker.session.job import Job

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.hf_api import RepoFile

    from depthkit_worker.export.hub.pushable import LocalFile

MODULE = "depthkit_worker.export.hub.push"
PHASE = "uploading"
MAIN = "main"
NAMED = 3
"""Files of a branch that a message names."""

ATTRIBUTES = ".gitattributes"
"""The hub's own file: every new repository has it, and it says which files are large."""


def push_in_child(params: HubPushParams, job: Job) -> HubPushResult:
    arguments = ["--params", msgspec.json.encode(params).decode(), "--stop-with-parent"]
    return msgspec.convert(run_child(MODULE, arguments, job), HubPushResult)


def push(params: HubPushParams, job: Job) -> HubPushResult:
    """The same in this process, which cannot be cancelled."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.utils.tqdm import disable_progress_bars

    from depthkit_worker.export.hub.pushable import pushable
    from depthkit_worker.export.hub.refusals import as_refusal, check_may_send

    started = time.monotonic()
    token = check_may_send(params)
    files = pushable(Path(params.path), job)
    disable_progress_bars()
    api = HfApi(endpoint=constants.ENDPOINT, token=token)
    with as_refusal(params):
        branch = _branch(api, params)
        _check_free(params, branch)
        additions = _upload(api, branch, params, files, job)
        commit, deleted = _commit(api, branch, params, additions)
        _check_arrived(api, branch, params, commit, files)
    address = f"{constants.ENDPOINT}/{branch.repo}"
    return HubPushResult(
        repo=branch.repo,
        revision=params.revision,
        url=address if params.revision == MAIN else f"{address}/tree/{params.revision}",
        commit=commit,
        created=branch.created,
        files=tuple(ExportedFile(name=one.name, bytes=one.bytes, sha256=one.sha256) for one in files),
        bytes=sum(one.bytes for one in files),
        deleted=deleted,
        seconds=time.monotonic() - started,
    )


@dataclass(frozen=True)
class _Branch:
    """Where the commit goes, as it was looked at."""

    repo: str
    created: bool
    """Whether the repository was made for this push."""
    head: str | None
    """Its last commit; None where it has none."""
    files: tuple[str, ...]
    kept_by_main: bool
    """Whether main has the same commit, so that nothing is lost where its files go here."""


def _branch(api: HfApi, params: HubPushParams) -> _Branch:
    from huggingface_hub.errors import RepositoryNotFoundError

    created = False
    try:
        info = api.model_info(params.repo)
    except RepositoryNotFoundError:
        # None of this name, or one that this token may not see: making it says which.
        repo = api.create_repo(params.repo, private=True if params.private else None).repo_id
        created = True
    else:
        repo = info.id
        if params.private and not info.private:
            raise DepthkitError(
                "INVALID_ARGUMENT",
                f"Pushing {params.path}: {repo} is to be private, and it is there and public. Make it "
                "private on its settings page, or leave private out (--private). Nothing was sent.",
                repo=repo,
            )
    refs = api.list_repo_refs(repo)
    heads = {branch.name: branch.target_commit for branch in refs.branches}
    if params.revision in {tag.name for tag in refs.tags} - heads.keys():
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Pushing {params.path}: {params.revision} is a tag of {repo}, and a commit goes to a branch. "
            "Name another revision. Nothing was sent.",
            revision=params.revision,
        )
    if params.revision not in heads and params.revision != MAIN:
        api.create_branch(repo, branch=params.revision)
        heads = {branch.name: branch.target_commit for branch in api.list_repo_refs(repo).branches}
    head = heads.get(params.revision)
    files = () if head is None else tuple(_files_at(api, repo, head))
    kept_by_main = params.revision != MAIN and head == heads.get(MAIN)
    return _Branch(repo, created, head, files, kept_by_main)


def _files_at(api: HfApi, repo: str, commit: str) -> dict[str, RepoFile]:
    from huggingface_hub.hf_api import RepoFile

    entries = api.list_repo_tree(repo, recursive=True, revision=commit)
    return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}


def _check_free(params: HubPushParams, branch: _Branch) -> None:
    found = [name for name in branch.files if name != ATTRIBUTES]
    if not found or branch.kept_by_main or params.overwrite:
        return
    named = ", ".join(found[:NAMED]) + (f" and {len(found) - NAMED} more" if len(found) > NAMED else "")
    raise DepthkitError(
        "TARGET_NOT_EMPTY",
        f"Pushing {params.path}: the branch {params.revision} of {branch.repo} holds {named} already. Name "
        "another repository or revision, or ask to overwrite: then everything in the branch is replaced in "
        "one commit, and stays in its history. Nothing was sent.",
        repo=branch.repo,
        revision=params.revision,
    )


def _upload(
    api: HfApi, branch: _Branch, params: HubPushParams, files: Sequence[LocalFile], job: Job
) -> list[CommitOperationAdd]:
    """The files' bytes, where the hub keeps them apart from the commit; small ones go in the commit."""
    from huggingface_hub import CommitOperationAdd

    total, done = sum(one.bytes for one in files), 0
    additions = []
    job.report(PHASE, 0, total, "bytes")
    for one in files:
        addition = CommitOperationAdd(path_in_repo=one.name, path_or_fileobj=one.path)
        # Known by now: the library would read the file once more for it, and this is what was checked.
        addition.upload_info.sha256 = bytes.fromhex(one.sha256)
        api.preupload_lfs_files(branch.repo, [addition], revision=params.revision, free_memory=False)
        additions.append(addition)
        done += one.bytes
        job.report(PHASE, done, total, "bytes")
    return additions


def _commit(
    api: HfApi, branch: _Branch, params: HubPushParams, additions: Sequence[CommitOperationAdd]
) -> tuple[str, tuple[str, ...]]:
    """The commit, and the files that it took away: one left beside others may be the one that is loaded."""
    from huggingface_hub import CommitOperationDelete

    new = {addition.path_in_repo for addition in additions}
    deleted = tuple(name for name in branch.files if name != ATTRIBUTES and name not in new)
    commit = api.create_commit(
        branch.repo,
        [*additions, *(CommitOperationDelete(name, is_folder=False) for name in deleted)],
        commit_message=params.message,
        revision=params.revision,
        # So that what came to the branch since it was looked at is not replaced.
        parent_commit=branch.head,
    )
    return commit.oid, deleted


def _check_arrived(
    api: HfApi, branch: _Branch, params: HubPushParams, commit: str, files: Sequence[LocalFile]
) -> None:
    """That the commit holds what was sent: a `.gitignore` of the repository drops files silently."""
    there = _files_at(api, branch.repo, commit)
    for file in files:
        one = there.get(file.name)
        if one is None or one.size != file.bytes or (one.lfs is not None and one.lfs.sha256 != file.sha256):
            how = "is not in it" if one is None else f"has {one.size:,} bytes there and {file.bytes:,} here"
            raise DepthkitError(
                "HUB_REFUSED",
                f"Pushing {params.path}: the commit {commit} of {branch.repo} is made, and it is not what "
                f"was sent: {file.name} {how}. Do not use it. Look for a .gitignore in the repository, and "
                "push again.",
                repo=branch.repo,
                commit=commit,
                name=file.name,
            )


def main() -> int:
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}")
    parser.add_argument("--params", required=True, help="HubPushParams in JSON")
    parser.add_argument("--stop-with-parent", action="store_true", help="end when standard input closes")
    given = parser.parse_args()
    params = msgspec.json.decode(given.params, type=HubPushParams)

    def work(job: ChildJob) -> dict[str, object]:
        return msgspec.to_builtins(push(params, job))  # type: ignore[no-any-return]

    return child_main(work, given.stop_with_parent)


if __name__ == "__main__":
    sys.exit(main())
