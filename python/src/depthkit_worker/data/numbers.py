"""The number that a worked-out answer ends in."""

from __future__ import annotations

import re
from decimal import Decimal

MARK = "####"
"""GSM8K writes the result behind it."""

# What stands between groups of three digits, the same in all of a number: commas, apostrophes, underscores,
# and spaces that do not break a line.
SEPARATOR = "[,'\u2019_\u00a0\u2007\u2009\u202f]"
CURRENCY = "[$\u20ac\u00a3\u00a5]"
GROUPED = f"[0-9]{{1,3}}(?P<between>{SEPARATOR})[0-9]{{3}}(?:(?P=between)[0-9]{{3}})*(?![0-9])"
# An ordinary space parts two numbers ("packs of 2 500 g each") unless nothing but one can be meant: behind or
# in front of a currency sign, and where a group begins with 0.
SPACED = "[0-9]{1,3}(?: [0-9]{3})+(?![0-9])"
ONE_SUM = f"(?:(?<={CURRENCY})|(?<={CURRENCY}[ \u00a0])){SPACED}|{SPACED}(?=[ \u00a0]?{CURRENCY}(?![0-9]))"
WITH_ZEROS = "[0-9]{1,3}(?: [0-9]{3})*? 0[0-9]{2}(?: [0-9]{3})*(?![0-9])"


def _number(spaced: str) -> re.Pattern[str]:
    # A minus counts where it cannot be a subtraction: 5-3 ends in 3.
    sign = "(?<![\\w.)\\]%])[-\u2212]"
    return re.compile(
        f"(?P<sign>{sign})?(?:{CURRENCY}[ \u00a0]?)?(?P<inner>{sign})?"
        f"(?P<digits>(?:{GROUPED}|{spaced}|[0-9]+)(?:\\.[0-9]+)?|(?<![0-9])\\.[0-9]+)"
    )


NUMBER = _number(f"{ONE_SUM}|{WITH_ZEROS}")
# Behind the mark stands one number.
RESULT = _number(SPACED)


def number_in(text: str) -> Decimal | None:
    """The first number behind `####`, or else the last one there is: without currency signs and what stands
    between thousands. None where there is no number."""
    _, mark, behind = text.partition(MARK)
    if mark and (first := RESULT.search(behind)):
        return _value(first)
    *_, last = (None, *NUMBER.finditer(text))
    return None if last is None else _value(last)


def _value(match: re.Match[str]) -> Decimal:
    value = Decimal(re.sub("[^0-9.]", "", match["digits"]))
    return -value if match["sign"] or match["inner"] else value
