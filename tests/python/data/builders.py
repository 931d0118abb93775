"""Small tokenisers made on the spot."""

from __future__ import annotations

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

# The splitting rule of Llama 3 and of Qwen 2, in its published form.
LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BOS = "<s>"

TRAINING = [
    "The quick brown fox jumps over the lazy dog.\n\nIt's 1,234 years old; it isn't 12345.\n",
    "def f(x):\n    return x * 2\n\n\n# naïve café façade — Über 東京 🙂\n" * 2,
]


def byte_level(
    *, split: str | None = None, bos: bool = False, adds_bos: bool = False
) -> PreTrainedTokenizerBase:
    """A byte-level BPE tokeniser; `bos`: it has a BOS token; `adds_bos`: its post-processor adds it."""
    tokenizer = Tokenizer(models.BPE())
    if split is None:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(split), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    tokenizer.decoder = decoders.ByteLevel()
    return _trained(tokenizer, pre_tokenizers.ByteLevel.alphabet(), bos=bos, adds_bos=adds_bos)


def sentence_piece(*, bos: bool = False, adds_bos: bool = False) -> PreTrainedTokenizerBase:
    """A tokeniser in the manner of Llama 2: a space in front, no splitting into words."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    alphabet = sorted({letter for text in TRAINING for letter in text if letter.isascii()} | {"▁"})
    return _trained(tokenizer, alphabet, bos=bos, adds_bos=adds_bos, fallback=True)


def _trained(
    tokenizer: Tokenizer, alphabet: list[str], *, bos: bool, adds_bos: bool, fallback: bool = False
) -> PreTrainedTokenizerBase:
    special = (["<unk>"] if fallback else []) + ([BOS] if bos else [])
    if fallback:
        special += [f"<0x{value:02X}>" for value in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        special_tokens=[AddedToken(token, special=True) for token in special],
        show_progress=False,
    )
    tokenizer.train_from_iterator(TRAINING, trainer)
    if adds_bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{BOS} $A", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
        )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=BOS if bos else None)
