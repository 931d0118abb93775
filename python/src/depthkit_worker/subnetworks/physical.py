"""A subnetwork without the modules that were removed, as far as a live model can be without them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from torch import Tensor, nn

from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.packed import scales_beside, weights_in
from depthkit_worker.models.stand_ins import PassThrough
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork


@contextmanager
def physical(subnetwork: Subnetwork) -> Iterator[None]:
    """Inside, the decoder's model has a shorter list of blocks; nothing stands in a removed block's place.

    Per-block lists of the configuration are cut with it. A removed sublayer's modules and weights are no
    part of the model either, but its block is, and so is the norm in front of the sublayer: it runs, as it
    does in an exported checkpoint. A removed block with an update in its place stays as that update. Use the
    model itself inside, not the decoder's replay: the blocks have new places.
    """
    decoder = subnetwork.decoder
    with removed(subnetwork), ExitStack() as restore:
        edited = subnetwork.edits.keys()
        blocks = list(decoder.blocks)
        kept = [
            index
            for index, block in enumerate(blocks)
            if index in edited or not isinstance(block, PassThrough)
        ]
        _shorten(decoder, kept, restore)
        yield


def _shorten(decoder: Decoder, kept: Sequence[int], restore: ExitStack) -> None:
    path, _, name = decoder.family.blocks.rpartition(".")
    parent = decoder.model.get_submodule(path)
    whole = decoder.blocks
    restore.callback(setattr, parent, name, whole)
    setattr(parent, name, nn.ModuleList(whole[index] for index in kept))
    config = decoder.config
    for key in decoder.family.layer_lists:
        entries = getattr(config, key, None)
        if entries is not None:
            restore.callback(setattr, config, key, entries)
            setattr(config, key, [entries[index] for index in kept])
    restore.callback(setattr, config, "num_hidden_layers", config.num_hidden_layers)
    config.num_hidden_layers = len(kept)


def update_modules(subnetwork: Subnetwork) -> list[nn.Module]:
    """The repairs' updates, which hang on blocks as hooks and so are no part of the module tree."""
    return [update for edit in subnetwork.edits.values() for update in edit.updates.values()]


def own_tensors(modules: Iterable[nn.Module], apart: Iterable[nn.Module] = ()) -> list[Tensor]:
    """Parameters and buffers of `modules` and all that is in them, and of `apart` by themselves, with the
    scales of packed ones; tied ones once."""
    inner = [one for module in modules for one in module.modules()] + list(apart)
    found = {
        id(tensor): tensor
        for module in inner
        for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False))
    }
    found |= {id(tensor): tensor for tensor in scales_beside(inner)}
    return list(found.values())


def parameter_count(tensors: Iterable[Tensor]) -> int:
    """Weights that the parameters among `tensors` stand for; buffers do not count."""
    return sum(weights_in(tensor) for tensor in tensors if isinstance(tensor, nn.Parameter))
