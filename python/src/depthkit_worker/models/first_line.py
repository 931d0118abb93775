"""What a library says of its failure."""

from __future__ import annotations

from depthkit_worker.errors import DepthkitError


def first_line(error: BaseException) -> str:
    """What a library says of its failure, without its advice."""
    said = str(error).strip().split("\n")[0] or type(error).__name__
    plain = isinstance(error, OSError | ValueError | RuntimeError | DepthkitError)
    return said if plain else f"{type(error).__name__}: {said}"
