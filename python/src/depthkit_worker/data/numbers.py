"""The number that a worked-out answer ends in."""

from __future__ import annotations

import re
from decimal import Decimal

MARK = "####"
"""GSM8K writes the result behind it."""
# A minus counts where it cannot be a subtraction: 5-3 ends in 3. Commas count between groups of three digits.
NUMBER = re.compile(
    r"(?P<sign>(?<![\w.)\]%])[-\u2212])?[$\u20ac\u00a3\u00a5]?(?P<inner>(?<![\w.)\]%])[-\u2212])?"
    r"(?P<digits>(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|(?<![0-9])\.[0-9]+)"
)


def number_in(text: str) -> Decimal | None:
    """The first number behind `####`, or else the last one there is: without currency signs and the commas
    between thousands. None where there is no number."""
    _, mark, behind = text.partition(MARK)
    if mark and (first := NUMBER.search(behind)):
        return _value(first)
    *_, last = (None, *NUMBER.finditer(text))
    return None if last is None else _value(last)


def _value(match: re.Match[str]) -> Decimal:
    value = Decimal(match["digits"].replace(",", ""))
    return -value if match["sign"] or match["inner"] else value
