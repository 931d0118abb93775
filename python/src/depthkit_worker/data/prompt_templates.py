"""Prompt templates: text with `{field}` where a record's field goes."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter

from depthkit_worker.errors import DepthkitError


def template_fields(template: str) -> tuple[str, ...]:
    """The fields a template names, in order; `{{` and `}}` are braces. Refuses what fills in nothing."""
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise _bad(template, f"{error}") from error
    fields = []
    for _, field, specification, conversion in parts:
        if field is None:
            continue
        if not field or specification or conversion or any(letter in field for letter in ".[]"):
            raise _bad(template, f"it has the placeholder {{{field}}}, and only a field's name goes into one")
        fields.append(field)
    if not fields:
        raise _bad(template, "it names no field, so every item would be the same")
    return tuple(dict.fromkeys(fields))


def fill(template: str, values: Mapping[str, str]) -> str:
    return "".join(text + ("" if field is None else values[field]) for text, field, _, _ in Formatter().parse(template))


def _bad(template: str, reason: str) -> DepthkitError:
    return DepthkitError(
        "INVALID_ARGUMENT",
        f"The prompt template {template!r} cannot be used: {reason}. Write {{question}} where the field question "
        "goes, and {{ or }} for a brace.",
        template=template,
    )
