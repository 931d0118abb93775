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
        # What Python would send back is what came, and the defaults of what did not.
        assert_holds(msgspec.to_builtins(decoded), msgspec.msgpack.decode(packed))
    else:
        with pytest.raises(msgspec.ValidationError):
            msgspec.msgpack.decode(packed, type=wanted)


def assert_holds(sent: object, came: object) -> None:
    if isinstance(came, dict) and isinstance(sent, dict):
        for name, value in came.items():
            assert_holds(sent[name], value)
    elif isinstance(came, list) and isinstance(sent, list | tuple):
        assert len(sent) == len(came)
        for one, other in zip(sent, came, strict=True):
            assert_holds(one, other)
    else:
        assert sent == came


def test_digest_is_that_of_the_committed_schema() -> None:
    import hashlib

    schema = (ROOT / "schemas" / "wire.schema.json").read_bytes()
    assert hashlib.sha256(schema).hexdigest() == wire.CONTRACT_DIGEST
