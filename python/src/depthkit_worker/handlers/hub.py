"""What goes to the Hugging Face hub. Imported before the handshake: nothing heavy here."""

from __future__ import annotations

from depthkit_worker.contract.wire import HubPushParams, HubPushResult
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.hub.push import push_in_child
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session


def push(session: Session, params: HubPushParams, call: Call) -> HubPushResult:
    if session.remote:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Pushing {params.path}: the token of this machine's user is not for clients of other machines. "
            "Fetch the folder, and push the copy.",
            path=params.path,
        )
    return push_in_child(params, call)
