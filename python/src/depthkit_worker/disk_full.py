"""How a write that failed for want of room is told from other errors. It imports nothing of depthkit."""

from __future__ import annotations

import errno
import re

_WORDS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "this user's quota on the disk is used up",
    errno.EFBIG: "the file is larger than the file system, or a limit of this user (ulimit -f), allows",
}
_IN_TEXT = re.compile(r"\(os error ([0-9]+)\)")


def disk_full(error: BaseException) -> str | None:
    """What kind of room ran out; None for another failure. safetensors has the number in its text alone."""
    number = getattr(error, "errno", None)
    if number is None and (found := _IN_TEXT.search(str(error))):
        number = int(found[1])
    return None if number is None else _WORDS.get(number)
