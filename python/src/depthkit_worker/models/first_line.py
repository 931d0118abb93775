"""What a library says of its failure."""

from __future__ import annotations


def first_line(error: BaseException) -> str:
    """What a library says of its failure, without its advice."""
    said = str(error).strip().split("\n")[0] or type(error).__name__
    return said if isinstance(error, OSError | ValueError | RuntimeError) else f"{type(error).__name__}: {said}"
