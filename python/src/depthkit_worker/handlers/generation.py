from __future__ import annotations

import time

from depthkit_worker.evaluation.generation import GenerateOptions
from depthkit_worker.evaluation.generation import generate as write_text
from depthkit_worker.handlers.sources import subject
from depthkit_worker.protocol.wire import Generation, GenerationGenerateParams, GenerationGenerateResult
from depthkit_worker.server.call import Call
from depthkit_worker.server.session import Session


def generate(session: Session, params: GenerationGenerateParams, call: Call) -> GenerationGenerateResult:
    started = time.monotonic()
    on = subject(session, params)
    options = GenerateOptions(
        max_new_tokens=params.max_new_tokens,
        temperature=params.temperature,
        top_p=params.top_p,
        seed=params.seed,
        stop=tuple(params.stop),
        chat=params.chat,
        cache=params.cache,
    )
    result = write_text(on.decoder, on.units, params.prompts, options, call, repairs=on.repairs)
    return GenerationGenerateResult(
        generations=[
            Generation(
                prompt=written.prompt,
                text=written.text,
                prompt_tokens=written.prompt_tokens,
                token_ids=list(written.token_ids),
                finish=written.finish,
            )
            for written in result.generations
        ],
        kv_bytes_per_token=result.kv_bytes_per_token,
        seconds=time.monotonic() - started,
    )
