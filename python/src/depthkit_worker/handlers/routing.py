from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from depthkit_worker.contract.wire import PromptFeatures, RoutingPromptsParams, RoutingReadParams
from depthkit_worker.data.tokens import Ids, tokeniser_of
from depthkit_worker.handlers.sources import check_readable, data_of
from depthkit_worker.influence.prompts import prompt_features, prompts_of
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session


def read(session: Session, params: RoutingReadParams, call: Call) -> PromptFeatures:
    decoder, data = session.models.get(params.model), data_of(session, params.data)
    check_readable(data, decoder)
    return _features(decoder, prompts_of(data), params, call)


def prompts(session: Session, params: RoutingPromptsParams, call: Call) -> PromptFeatures:
    decoder = session.models.get(params.model)
    tokeniser = tokeniser_of(decoder)
    ids = [
        np.asarray(tokeniser.to_continue(text, f"prompt {number}", chat=params.chat).ids, dtype=np.int32)
        for number, text in enumerate(params.prompts, start=1)
    ]
    return _features(decoder, ids, params, call)


def _features(
    decoder: Decoder, ids: Sequence[Ids], params: RoutingReadParams | RoutingPromptsParams, call: Call
) -> PromptFeatures:
    features = prompt_features(decoder, ids, params, params.batch_size, call)
    return PromptFeatures(features=call.attach(features.numpy()))
