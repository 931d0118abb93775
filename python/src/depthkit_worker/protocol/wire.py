"""The wire contract as msgspec Structs. Written by `npm run generate`; do not edit."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

CONTRACT_DIGEST = "76ed8370a1b70ec569a35a7f9d281b2835b3a816a3cb6562fba4d9dcd5734acc"
"""sha256 of schemas/wire.schema.json: both sides must have the same."""

class CorpusInfo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    corpus: CorpusHandle
    data: DataInfo
    tokens_digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """sha256 of the token ids as little-endian int32, sequence after sequence."""
    sequences: Annotated[int, Meta(ge=1, le=9007199254740991)]
    length: Annotated[int, Meta(ge=2, le=9007199254740991)]
    tokens: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Tokens held."""
    tokens_total: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Tokens in the text as a whole."""
    tokens_dropped: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Tokens left out at the end."""
    packing: Packing
    separator: str
    bos: BosPolicy
    bos_added: bool
    """Whether each sequence starts with a BOS token."""


class CorpusLoadParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    data: DataSource
    sequences: Annotated[int, Meta(ge=1, le=9007199254740991)] | None
    """How many to take from the front; null: all there are."""
    length: Annotated[int, Meta(ge=2, le=9007199254740991)]
    """Tokens a sequence."""
    packing: Packing
    separator: str
    """Stands between two texts of a packed stream."""
    bos: BosPolicy


class CorpusUnloadParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    corpus: CorpusHandle


class DataInfo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """sha256 of the text records, whatever file they came in."""
    files: list[str]
    records: Annotated[int, Meta(ge=0, le=9007199254740991)]
    skipped: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Records without text, left out."""
    lines: Annotated[int, Meta(ge=0, le=9007199254740991)]
    characters: Annotated[int, Meta(ge=0, le=9007199254740991)]
    bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Bytes of the text in UTF-8."""


class Empty(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    pass


class EvaluationPerplexityParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: list[UnitName]
    repairs: list[RepairHandle]
    """In the order they were made."""
    data: DataSource
    rows: RowMode
    separator: str
    chunk: Annotated[int, Meta(ge=2, le=9007199254740991)] | None
    """Tokens a chunk; null: 2,048, or the model's limit where that is less."""
    stride: Annotated[int, Meta(ge=1, le=9007199254740991)] | None
    """Tokens from one chunk's start to the next; null: the chunk."""
    max_chunks: Annotated[int, Meta(ge=1, le=9007199254740991)] | None
    bos: BosPolicy
    batch_size: Annotated[int, Meta(ge=1, le=9007199254740991)]


class ExportHuggingfaceParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: list[UnitName]
    repairs: list[RepairHandle]
    """In the order they were made."""
    target: Annotated[str, Meta(min_length=1)]
    """Absolute path of the folder to write."""
    overwrite: bool
    dtype: DtypeChoice
    """auto: the dtype the source is stored in."""
    note: str
    """How the units were chosen, for the model card; may be empty."""


class ExportHuggingfaceResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    folder: str
    removed: list[UnitName]
    kept_blocks: list[Annotated[int, Meta(ge=0, le=9007199254740991)]]
    files: list[ExportedFile]
    weights_digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """As of a loaded model: sha256 over the weight files."""
    parameters_before: Annotated[int, Meta(ge=0, le=9007199254740991)]
    parameters_after: Annotated[int, Meta(ge=0, le=9007199254740991)]
    weight_bytes_before: Annotated[int, Meta(ge=0, le=9007199254740991)]
    weight_bytes_after: Annotated[int, Meta(ge=0, le=9007199254740991)]
    kv_bytes_per_token_before: Annotated[int, Meta(ge=0, le=9007199254740991)]
    kv_bytes_per_token_after: Annotated[int, Meta(ge=0, le=9007199254740991)]
    dtype: str
    warnings: list[str]
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]


class ExportedFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    name: str
    bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]


class FileSource(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind", tag="files"):
    paths: Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1)]
    """Absolute paths of .txt, .jsonl or .jsonl.gz files."""
    text_field: Annotated[str, Meta(min_length=1)]
    """The field of a JSON line that holds its text."""
    strict: bool
    """Refuse lines without text, where otherwise they are counted and skipped."""


class Generation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    prompt: str
    text: str
    """What was written after the prompt."""
    prompt_tokens: Annotated[int, Meta(ge=0, le=9007199254740991)]
    token_ids: list[Annotated[int, Meta(ge=0, le=9007199254740991)]]
    """The ids written."""
    finish: FinishReason


class GenerationAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    place: str
    """File and line of the item."""
    text: str
    """What was written."""
    target: str
    number: str | None
    """The number found in the text, where numbers are compared."""
    correct: bool
    tokens: Annotated[int, Meta(ge=0, le=9007199254740991)]
    finish: FinishReason


class GenerationGenerateParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: list[UnitName]
    repairs: list[RepairHandle]
    """In the order they were made."""
    prompts: Annotated[list[str], Meta(min_length=1)]
    chat: bool
    """Wrap each prompt as a user's turn in the model's chat template."""
    max_new_tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    temperature: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """0: greedy."""
    top_p: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    seed: Annotated[int, Meta(ge=0, le=9007199254740991)]
    stop: list[Annotated[str, Meta(min_length=1)]]
    cache: bool
    """Keep a KV cache; without it every token costs a whole forward pass."""
    batch_size: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Prompts at a time; above 1 for greedy text with a cache."""


class GenerationGenerateResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    generations: list[Generation]
    kv_bytes_per_token: Annotated[int, Meta(ge=0, le=9007199254740991)]
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]


class GenerationLoadTaskParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    paths: Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1)]
    """Absolute paths of .jsonl or .jsonl.gz files."""
    prompt: Annotated[str, Meta(min_length=1)]
    """Template with {field} where a record's field goes."""
    target: Annotated[str, Meta(min_length=1)]
    """The field that holds the right answer."""
    score: GenerationScoreRule
    shots: Annotated[int, Meta(ge=0, le=9007199254740991)]
    shot_paths: list[Annotated[str, Meta(min_length=1)]]
    """None: the examples are the task's first items."""
    answer_prefix: str
    """Stands between an example's prompt and its target."""
    separator: str
    """Stands between examples."""
    items: Annotated[int, Meta(ge=1, le=9007199254740991)] | None
    """How many to take from the front; null: all there are."""


class GenerationSolveParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: list[UnitName]
    repairs: list[RepairHandle]
    """In the order they were made."""
    task: GenerationTaskHandle
    max_new_tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    stop: list[Annotated[str, Meta(min_length=1)]] | None
    """Null: what stands between the task's examples."""
    batch_size: Annotated[int, Meta(ge=1, le=9007199254740991)]
    chat: bool
    answers: bool
    """Whether the result lists every item."""


class GenerationSolveResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    accuracy: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    standard_error: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    """Over items; null for a single one."""
    correct: Annotated[int, Meta(ge=0, le=9007199254740991)]
    items: Annotated[int, Meta(ge=1, le=9007199254740991)]
    without_number: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Answers in which no number was found; wrong, all of them."""
    cut_short: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Answers that ended because maxNewTokens was reached."""
    tokens: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Written in all, ending tokens included."""
    task_digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    score: GenerationScoreRule
    max_new_tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    stop: list[str]
    batch_size: Annotated[int, Meta(ge=1, le=9007199254740991)]
    answers: list[GenerationAnswer] | None
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]


class GenerationTaskInfo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    task: GenerationTaskHandle
    digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """sha256 over prompts and targets, whatever files they came in."""
    files: list[str]
    items: Annotated[int, Meta(ge=1, le=9007199254740991)]
    score: GenerationScoreRule
    shots: Annotated[int, Meta(ge=0, le=9007199254740991)]
    separator: str
    first_prompt: str
    """As the model gets it."""
    first_target: str


class GenerationUnloadTaskParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    task: GenerationTaskHandle


class HarnessMetric(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    name: str
    """acc, acc_norm, exact_match, ..."""
    filter: str
    """What was done to the answer first; none: nothing."""
    value: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    standard_error: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    higher_is_better: bool | None


class HarnessRunParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: list[UnitName]
    repairs: list[RepairHandle]
    """In the order they were made."""
    tasks: Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1)]
    """Tasks, groups or tags, or patterns such as mmlu_*."""
    limit: Annotated[int, Meta(ge=1, le=9007199254740991)] | None
    """Items of each task, from the front; null: all."""
    shots: Annotated[int, Meta(ge=0, le=9007199254740991)] | None
    """Examples in front of each item; null: what the task says."""
    batch_size: Annotated[int, Meta(ge=1, le=9007199254740991)]
    include_path: Annotated[str, Meta(min_length=1)] | None
    """Absolute path of a folder with task files."""


class HarnessRunResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    tasks: list[HarnessTask]
    lm_eval_version: str
    limit: Annotated[int, Meta(ge=1, le=9007199254740991)] | None
    batch_size: Annotated[int, Meta(ge=1, le=9007199254740991)]
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]


class HarnessTask(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    task: str
    """A task, or a group with what the harness makes of its tasks together."""
    version: str | None
    shots: Annotated[int, Meta(ge=0, le=9007199254740991)] | None
    items: Annotated[int, Meta(ge=0, le=9007199254740991)] | None
    """Items asked."""
    config_digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")] | None
    """sha256 of the task's settings, as the harness reports them."""
    metrics: list[HarnessMetric]


class InfluenceMeasureParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    corpus: CorpusHandle
    batch_size: Annotated[int, Meta(ge=1, le=9007199254740991)]
    angular_tokens: AngularTokens
    """Which tokens of a sequence the angular distance is averaged over."""
    skip_first_tokens: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Tokens at the start of each sequence that are not counted."""


class InfluenceMeasureResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    kinds: list[UnitKind]
    """The first axis of values."""
    metrics: list[InfluenceMetric]
    """The second axis of values."""
    values: TensorRef
    """float64 (kinds, metrics, depth): mean over the tokens counted."""
    standard_errors: TensorRef
    """float64, as values: of the mean over sequences; NaN with one sequence."""
    angular: TensorRef
    """float64 (depth, depth): [n - 1, l] for the span of n blocks from l; 0 beyond."""
    angular_tokens: AngularTokens
    skip_first_tokens: Annotated[int, Meta(ge=0, le=9007199254740991)]
    sequences: Annotated[int, Meta(ge=1, le=9007199254740991)]
    tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Tokens counted."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]


class ModelInfo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    source: str
    revision: str | None
    model_type: str
    """The configuration's model_type."""
    weights_digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    depth: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Number of blocks."""
    hidden_size: Annotated[int, Meta(ge=1, le=9007199254740991)]
    vocabulary_size: Annotated[int, Meta(ge=1, le=9007199254740991)]
    context_length: Annotated[int, Meta(ge=1, le=9007199254740991)] | None
    """Longest sequence the model was made for, in tokens."""
    parameters: Annotated[int, Meta(ge=1, le=9007199254740991)]
    parallel: bool
    """Whether attention and feed-forward read the same input."""
    dtype: str
    device: str
    attention: str
    load_seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]


class ModelLoadParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    source: Annotated[str, Meta(min_length=1)]
    """A bundled name, a folder, a .gguf file or a hub id."""
    revision: Annotated[str, Meta(min_length=1)] | None
    """Branch, tag or commit of a hub id."""
    dtype: DtypeChoice
    device: Annotated[str, Meta(pattern="^(auto|cpu|mps|cuda(:[0-9]+)?)$(?!\\n)")]
    attention: AttentionChoice
    trust_remote_code: bool
    cache_folder: Annotated[str, Meta(min_length=1)]


class ModelProfile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    mode: ProfiledMode
    blocks: Annotated[int, Meta(ge=0, le=9007199254740991)]
    parameters: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Tied ones once; masked holds those of removed units too."""
    stored_bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Parameters in the checkpoint's dtype: weight files without headers."""
    kv_bytes_per_token: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Counted on a filled cache."""
    weight_bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Parameters and buffers in the loaded dtype."""
    working_bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """The most held beside the weights, KV cache included."""
    peak_bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Weights and working memory together."""
    prefill: Speed
    decode: list[Speed]
    """One entry a batch size."""


class ModelUnloadParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle


class PerplexityResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    perplexity: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """exp of the mean cross entropy, in nats, of the tokens scored."""
    loss: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    mean_of_sequences: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Mean over chunks of exp(loss of the chunk)."""
    word_perplexity: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    """Null where the words scored cannot be told."""
    bits_per_byte: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    """Null where the bytes scored cannot be told."""
    data: DataInfo
    rows: RowMode
    separator: str
    chunk: Annotated[int, Meta(ge=2, le=9007199254740991)]
    stride: Annotated[int, Meta(ge=1, le=9007199254740991)]
    chunks: Annotated[int, Meta(ge=1, le=9007199254740991)]
    bos: BosPolicy
    bos_added: bool
    tokens_total: Annotated[int, Meta(ge=0, le=9007199254740991)]
    tokens_scored: Annotated[int, Meta(ge=1, le=9007199254740991)]
    tokens_dropped: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Tokens behind the last whole chunk, or beyond maxChunks."""
    batch_size: Annotated[int, Meta(ge=1, le=9007199254740991)]
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]


class ProfilingProfileParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: list[UnitName]
    repairs: list[RepairHandle]
    """In the order they were made."""
    modes: Annotated[list[ProfileMode], Meta(min_length=1)]
    """What is compared with the dense model, each once."""
    prompt_tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Tokens of the prompt whose reading is timed, one prompt at a time."""
    context_tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Tokens that stand before the first one written."""
    new_tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    batch_sizes: Annotated[list[Annotated[int, Meta(ge=1, le=9007199254740991)]], Meta(min_length=1)]
    """Texts written at a time, each once."""
    rounds: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Each times every model once, in turn."""
    warmup_rounds: Annotated[int, Meta(ge=0, le=9007199254740991)]
    seed: Annotated[int, Meta(ge=0, le=9007199254740991)]


class ProfilingProfileResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    models: Annotated[list[ModelProfile], Meta(min_length=2)]
    """The dense model, then one for each mode."""
    device: str
    dtype: str
    """The dtype the model is loaded in."""
    stored_dtype: str
    """The dtype the checkpoint is stored in."""
    attention: str
    threads: Annotated[int, Meta(ge=1, le=9007199254740991)]
    memory_counted_by: MemoryCountedBy
    """allocator: the device's own; tensors: those alive, without kernels' scratch space."""
    prompt_tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    context_tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    new_tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    rounds: Annotated[int, Meta(ge=1, le=9007199254740991)]
    warmup_rounds: Annotated[int, Meta(ge=0, le=9007199254740991)]
    seed: Annotated[int, Meta(ge=0, le=9007199254740991)]
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]


class Progress(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    phase: str
    done: Annotated[int, Meta(ge=0, le=9007199254740991)]
    total: Annotated[int, Meta(ge=0, le=9007199254740991)] | None
    unit: str
    """What is counted, such as tokens or bytes; empty for plain steps."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Since the call began."""


class ScoredPositions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    every: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """The k-th, 2k-th, ... position of each sequence; 1: all."""
    last: Annotated[int, Meta(ge=1, le=9007199254740991)] | None
    """Only the last k positions; null: all."""


class Speed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    batch_size: Annotated[int, Meta(ge=1, le=9007199254740991)]
    tokens_per_second: Spread
    """Over all texts of the batch."""
    against_dense: Spread
    """The same divided by the dense model's in the same round."""


class Spread(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    median: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    lower_quartile: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    upper_quartile: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    min: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    max: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    samples: list[Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]]
    """In the order they were taken."""


class SubnetworksEvaluateParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    corpus: CorpusHandle
    units: Annotated[list[UnitName], Meta(min_length=1)]
    """The columns of kept."""
    kept: TensorRef
    """uint8 (subnetworks, ceil(units / 8)): bit u % 8 of byte u // 8, lowest first, is set where unit u stays."""
    measures: Annotated[list[Measure], Meta(min_length=1)]
    positions: ScoredPositions
    batch_size: Annotated[int, Meta(ge=1, le=9007199254740991)] | None
    """Sequences a batch; null: as many as pay and fit."""
    memory_budget: Annotated[int, Meta(ge=1, le=9007199254740991)] | None
    """Bytes beside the model; null: chosen for the device."""


class SubnetworksEvaluatePart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    rows: TensorRef
    """uint32 (k): the subnetworks that are finished."""
    values: TensorRef
    """float64 (k, measures)."""


class SubnetworksEvaluateResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    values: TensorRef
    """float64 (subnetworks, measures); NaN or infinite where a row is notFinite."""
    measures: list[Measure]
    counts: list[Annotated[int, Meta(ge=0, le=9007199254740991)]]
    """Positions each measure is a mean over."""
    distinct: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Subnetworks computed; the others equal one of them."""
    not_finite: list[Annotated[int, Meta(ge=0, le=9007199254740991)]]
    block_evaluations: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Blocks run on a batch, a sublayer counting as its share."""
    batch_size: Annotated[int, Meta(ge=1, le=9007199254740991)]
    notes: list[str]
    """What did not go as planned, such as batches halved for memory."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]


class TensorRef(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    tensor: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Index of the frame, from 0, among this message's tensors."""


class TextSource(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind", tag="texts"):
    texts: Annotated[list[str], Meta(min_length=1)]


class WorkerPingParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    value: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    integer: Annotated[int, Meta(ge=0, le=9007199254740991)]
    text: str
    tensors: list[TensorRef]
    """Sent back as they came."""


class WorkerPingResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    value: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    integer: Annotated[int, Meta(ge=0, le=9007199254740991)]
    text: str
    tensors: list[TensorRef]


class WorkerSleepParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]


class WorkerSleepResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]


class WorkerStatusResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    pid: Annotated[int, Meta(ge=0, le=9007199254740991)]
    uptime_seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    ready: bool
    """Whether torch and transformers are imported."""
    running: str | None
    """The method the compute thread is at."""
    queued: Annotated[int, Meta(ge=0, le=9007199254740991)]
    models: list[ModelHandle]
    corpora: list[CorpusHandle]
    resident_bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]
    peak_resident_bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]


AngularTokens: TypeAlias = Literal["last", "all"]
AttentionChoice: TypeAlias = Literal["auto", "eager", "sdpa", "flash_attention_2"]
BosPolicy: TypeAlias = Literal["auto", "always", "never"]
CorpusHandle: TypeAlias = Annotated[str, Meta(pattern="^corpus-[0-9]+$(?!\\n)")]
DataSource: TypeAlias = FileSource | TextSource
DtypeChoice: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]
FinishReason: TypeAlias = Literal["length", "end-of-text", "stop"]
GenerationScoreRule: TypeAlias = Literal["exact", "number"]
GenerationTaskHandle: TypeAlias = Annotated[str, Meta(pattern="^generation-task-[0-9]+$(?!\\n)")]
InfluenceMetric: TypeAlias = Literal["cosine", "l1", "l2", "relative-l1", "relative-l2"]
Measure: TypeAlias = Literal["loss", "kl", "logit-distance"]
MemoryCountedBy: TypeAlias = Literal["allocator", "tensors"]
ModelHandle: TypeAlias = Annotated[str, Meta(pattern="^model-[0-9]+$(?!\\n)")]
Packing: TypeAlias = Literal["pack", "none"]
ProfileMode: TypeAlias = Literal["masked", "physical"]
ProfiledMode: TypeAlias = Literal["dense", "masked", "physical"]
RepairHandle: TypeAlias = Annotated[str, Meta(pattern="^repair-[0-9]+$(?!\\n)")]
RowMode: TypeAlias = Literal["raw", "wikitext"]
UnitKind: TypeAlias = Literal["block", "attention", "feed-forward"]
UnitName: TypeAlias = Annotated[str, Meta(pattern="^(block|attention|feed-forward)\\.[0-9]{1,6}$(?!\\n)")]

METHODS: dict[str, tuple[type[Struct], type[Struct]]] = {
    "worker.ping": (WorkerPingParams, WorkerPingResult),
    "worker.sleep": (WorkerSleepParams, WorkerSleepResult),
    "worker.status": (Empty, WorkerStatusResult),
    "model.load": (ModelLoadParams, ModelInfo),
    "model.unload": (ModelUnloadParams, Empty),
    "corpus.load": (CorpusLoadParams, CorpusInfo),
    "corpus.unload": (CorpusUnloadParams, Empty),
    "subnetworks.evaluate": (SubnetworksEvaluateParams, SubnetworksEvaluateResult),
    "influence.measure": (InfluenceMeasureParams, InfluenceMeasureResult),
    "evaluation.perplexity": (EvaluationPerplexityParams, PerplexityResult),
    "profiling.profile": (ProfilingProfileParams, ProfilingProfileResult),
    "generation.generate": (GenerationGenerateParams, GenerationGenerateResult),
    "generation.loadTask": (GenerationLoadTaskParams, GenerationTaskInfo),
    "generation.unloadTask": (GenerationUnloadTaskParams, Empty),
    "generation.solve": (GenerationSolveParams, GenerationSolveResult),
    "harness.run": (HarnessRunParams, HarnessRunResult),
    "export.huggingface": (ExportHuggingfaceParams, ExportHuggingfaceResult),
}
"""Method name to its params and its result."""
