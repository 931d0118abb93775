"""The worker's one exception, with the codes of `src/errors.ts`."""

from __future__ import annotations

from typing import Any


class DepthkitError(Exception):
    """A failure the user can act on.

    `code` is one of the codes in `src/errors.ts`. The message says what was being done, the offending
    value, what is allowed and what to do. `details` holds the same facts for programs: plain
    JSON-like values only, since they cross the wire.
    """

    def __init__(self, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details
