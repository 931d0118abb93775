"""What the hub, or the way to it, answers a push with, in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from depthkit_worker.contract.wire import HubPushParams
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.first_line import first_line

LOGIN = "Log in with `hf auth login`, or set HF_TOKEN"
TOKENS = "make one with the right to write at https://huggingface.co/settings/tokens"
_FIRST_SERVER_FAULT = 500
_RENEW = f"{LOGIN} to another token; {TOKENS}"
_ASKED_AGAIN = "Push again: what has arrived is not sent again"


def check_may_send(params: HubPushParams) -> str:
    """The user's token. Raises where there is none, or the hub is switched off."""
    from huggingface_hub import constants, get_token

    if constants.is_offline_mode():
        raise DepthkitError(
            "NETWORK",
            f"Pushing {params.path}: HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set, so that nothing goes to "
            "the hub. Unset it, and push again. Nothing was sent.",
        )
    token = get_token()
    if token is None:
        raise DepthkitError(
            "HUB_REFUSED",
            f"Pushing {params.path}: there is no token of the Hugging Face hub on this machine. {LOGIN}; "
            f"{TOKENS}. Nothing was sent.",
            status=None,
        )
    return token


@contextmanager
def as_refusal(params: HubPushParams) -> Iterator[None]:
    """Turns what huggingface_hub raises into an error of depthkit's; other errors pass."""
    try:
        yield
    except DepthkitError:
        raise
    except Exception as error:
        refusal = _refusal(params, error)
        if refusal is None:
            raise
        raise refusal from error


def _refusal(params: HubPushParams, error: Exception) -> DepthkitError | None:
    from huggingface_hub import constants, errors

    doing = f"Pushing {params.path} to {params.repo}"
    for one in _chain(error):
        if isinstance(one, errors.HfHubHTTPError):
            return _of_status(params, doing, one)
        if isinstance(one, errors.HFValidationError):
            return DepthkitError(
                "INVALID_ARGUMENT",
                f"{doing}: this is no name of a repository. {first_line(one)}",
                repo=params.repo,
            )
        # The client's own, of a module that is another from release to release: no answer came.
        if isinstance(one, errors.HfHubHTTPError.__bases__[0]):
            return DepthkitError(
                "NETWORK",
                f"{doing}: {constants.ENDPOINT} cannot be reached ({type(one).__name__}: {first_line(one)}). "
                f"Check the connection, the proxy and HF_ENDPOINT. {_ASKED_AGAIN}.",
                repo=params.repo,
                endpoint=constants.ENDPOINT,
            )
        if type(one).__module__.startswith("hf_xet"):
            return _of_xet(params, doing, one)
    if type(error) in (ValueError, RuntimeError):
        # Of a card that the hub does not take, or of Xet, which says no more: the words are all there is.
        return _of_xet(params, doing, error)
    return None


def _of_xet(params: HubPushParams, doing: str, error: BaseException) -> DepthkitError:
    return DepthkitError(
        "HUB_REFUSED", f"{doing}: the upload was refused: {error}. {_ASKED_AGAIN}.", repo=params.repo
    )


def _of_status(params: HubPushParams, doing: str, error: Exception) -> DepthkitError:
    from huggingface_hub import constants, errors

    assert isinstance(error, errors.HfHubHTTPError)
    status = error.response.status_code
    said = error.server_message or error.response.headers.get("X-Error-Message")
    told = f"{constants.ENDPOINT} answered {status}" + (f" ({said})" if said else "")
    owner = params.repo.partition("/")[0]
    code = "HUB_REFUSED"
    if status == 401:
        words = f"it does not know the token, or it has run out. {_RENEW}"
    elif status == 403:
        words = (
            f"the token may not write there. Is {owner} yours, or an organisation that you may write for? "
            + _RENEW
        )
    elif isinstance(error, errors.RevisionNotFoundError):
        words = f"it has no branch {params.revision} any more. Name another revision, or push again"
    elif status == 404:
        words = (
            f"there is no repository of this name that this token may see, or no owner {owner}. Check the "
            "name, and who is logged in (`hf auth whoami`)"
        )
    elif status in (409, 412):
        words = (
            "it stands against what is there: a repository of this name that this token may not see, or a "
            "commit that came to the branch meanwhile. Nothing was replaced. Look at the repository, and "
            "push again"
        )
    elif status == 429:
        words = "too much was asked of it in a short time. Wait a few minutes. " + _ASKED_AGAIN
    elif status >= _FIRST_SERVER_FAULT:
        code, words = "NETWORK", f"the fault is on its side. {_ASKED_AGAIN}"
    else:
        words = f"the request was refused. {_ASKED_AGAIN}, once what it says is mended"
    return DepthkitError(code, f"{doing}: {told}: {words}.", repo=params.repo, status=status)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """It, and what it was raised from."""
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__
