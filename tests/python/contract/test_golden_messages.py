"""Messages packed by TypeScript get the verdict here that zod gives them there."""

import json
from pathlib import Path

import msgspec
import pytest

from depthkit_worker.contract import wire

ROOT = Path(__file__).parents[3]
CASES = json.loads((ROOT / "schemas" / "golden-messages.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['type']}: {case['why']}")
def test_verdict(case: dict[str, str | bool]) -> None:
    packed = bytes.fromhex(str(case["packed"]))
    wanted = getattr(wire, str(case["type"]))
    if case["valid"]:
        decoded = msgspec.msgpack.decode(packed, type=wanted)
        # What Python would send back is what came.
        assert msgspec.to_builtins(decoded) == msgspec.msgpack.decode(packed)
    else:
        with pytest.raises(msgspec.ValidationError):
            msgspec.msgpack.decode(packed, type=wanted)


def test_digest_is_that_of_the_committed_schema() -> None:
    import hashlib

    schema = (ROOT / "schemas" / "wire.schema.json").read_bytes()
    assert hashlib.sha256(schema).hexdigest() == wire.CONTRACT_DIGEST
