"""The wire contract as msgspec Structs. Written by `npm run generate`; do not edit."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

CONTRACT_DIGEST = "8e029f0088e22576d71c9d8a779a4e3200c54054fd4ccd4989c868504641faa9"
"""sha256 of schemas/wire.schema.json: both sides must have the same."""

class Agreement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    dense_acc: Annotated[float, Meta(ge=0, le=1)]
    agreement: Annotated[float, Meta(ge=0, le=1)]
    """Share of items where both choose the same, right or wrong."""
    both_right: Annotated[int, Meta(ge=0, le=9007199254740991)]
    only_dense_right: Annotated[int, Meta(ge=0, le=9007199254740991)]
    only_subnetwork_right: Annotated[int, Meta(ge=0, le=9007199254740991)]
    both_wrong: Annotated[int, Meta(ge=0, le=9007199254740991)]


class BiasRepair(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind", tag="bias"):
    training: Training


class ChoiceItems(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    log_likelihoods: TensorRef
    """float64 (choices): in nats, item after item."""
    ends: TensorRef
    """uint32 (items): choices up to and with each item."""
    chosen: TensorRef
    """uint32 (items): the choice of the highest log-likelihood."""
    answers: TensorRef
    """uint32 (items): the right choice."""


class ChoicesField(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind", tag="field"):
    name: Annotated[str, Meta(min_length=1)]


class ChoicesList(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind", tag="list"):
    texts: Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=2)]


class ChoicesResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    acc: Rate
    """By log-likelihood."""
    acc_norm_chars: Rate
    """By log-likelihood a character of the choice."""
    acc_norm_bytes: Rate
    """By log-likelihood a byte of the choice in UTF-8."""
    groups: list[GroupScore]
    choice_loss: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Mean of -log softmax(log-likelihoods)[answer], in nats."""
    probability_mass: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Mean over items of the choices' probabilities, summed."""
    ties: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Items whose highest log-likelihood several choices have; the lowest index wins."""
    items: Annotated[int, Meta(ge=1, le=9007199254740991)]
    task_digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    comparison: Agreement | None
    """Beside the dense model, where asked for."""
    per_item: ChoiceItems | None
    batch_size: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Items in the largest batch; 0 where all were known."""
    notes: list[str]
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]


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


class EmulatedUpdate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind", tag="emulated-update"):
    reference: RepairReference
    scale: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """What the mean is multiplied by; 1: the mean."""


class EvaluationChoicesParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: list[UnitName]
    repairs: list[RepairHandle]
    """In the order they were made."""
    task: TaskHandle
    batch_size: Annotated[int, Meta(ge=1, le=9007199254740991)] | None
    """Items a batch, those behind the same examples as one; null: as many as pay and fit."""
    items: bool
    """Whether to send every item's log-likelihoods."""
    compare_to_dense: bool
    """Whether to score the whole model too and compare choices."""
    known: ItemValues | None
    """Items known from before; where it is given, though empty, others are sent as they are finished."""


class EvaluationLastWordParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: list[UnitName]
    repairs: list[RepairHandle]
    """In the order they were made."""
    task: TaskHandle
    batch_size: Annotated[int, Meta(ge=1, le=9007199254740991)] | None
    items: bool
    known: ItemValues | None
    """Items known from before; where it is given, though empty, others are sent as they are finished."""


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
    known: ItemValues | None
    """Items known from before; where it is given, though empty, others are sent as they are finished."""


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
    layout: Literal["plain", "depthkit"]
    """plain: any software that reads the architecture; depthkit: one layer a kept attention, with code of its own."""
    removed: list[UnitName]
    kept_blocks: list[Annotated[int, Meta(ge=0, le=9007199254740991)]]
    """Blocks of which at least one sublayer stays."""
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
    max_logit_difference: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    """To the subnetwork in memory, in the loaded dtype, on a fixed batch; null over several devices."""
    notes: list[str]
    """What was folded where, why this layout, and which software reads it."""
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


class FoldRepair(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind", tag="fold"):
    reference: RepairReference
    ridge: Annotated[float, Meta(ge=0, le=1.7976931348623157e+308)] | None
    """Towards the identity, in units of the input's mean square; null: infinite, a bias alone."""


class GapError(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Squared error of the stream behind the gap, by the square of the update that was removed."""

    removed: list[UnitName]
    removed_error: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Without the repair."""
    repaired_error: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    removed_error_all: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """The same with the first tokens counted."""
    repaired_error_all: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]


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
    known: ItemValues | None
    """Items known from before; where it is given, though empty, others are sent as they are finished."""


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


class GroupScore(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    name: str
    items: Annotated[int, Meta(ge=1, le=9007199254740991)]
    acc: Annotated[float, Meta(ge=0, le=1)]
    acc_norm_chars: Annotated[float, Meta(ge=0, le=1)]
    acc_norm_bytes: Annotated[float, Meta(ge=0, le=1)]


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


class ItemValues(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    items: TensorRef
    """uint32 (items): their places among all, from 0."""
    ends: TensorRef
    """uint32 (items): values up to and with each item."""
    values: TensorRef
    """float64 (values), item after item; what they are is the method's to say."""


class LastWordItems(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    log_likelihoods: TensorRef
    """float64 (items): of the target, in nats."""
    right: TensorRef
    """uint8 (items): 1 where every token of the target is the likeliest."""


class LastWordResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    acc: Annotated[float, Meta(ge=0, le=1)]
    """Share of items whose every target token is the likeliest."""
    standard_error: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    perplexity: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """exp of the mean negative log-likelihood of a target."""
    loss: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Mean cross entropy of the target tokens, in nats."""
    tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Target tokens."""
    items: Annotated[int, Meta(ge=1, le=9007199254740991)]
    task_digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    per_item: LastWordItems | None
    batch_size: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Items in the largest batch; 0 where all were known."""
    notes: list[str]
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]


class LoraRepair(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind", tag="lora"):
    rank: Annotated[int, Meta(ge=1, le=9007199254740991)]
    alpha: Annotated[float, Meta(gt=0, le=1.7976931348623157e+308)]
    dropout: Annotated[float, Meta(ge=0, le=1)]
    targets: Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1)]
    """`attention`, `feed-forward` or names of linear modules in a block."""
    first: Annotated[int, Meta(ge=0, le=9007199254740991)] | None
    """First block that is healed, by its number in the whole model; null: 0."""
    last: Annotated[int, Meta(ge=0, le=9007199254740991)] | None
    """Last block that is healed; null: the last there is."""
    experts: MaskedExperts | None
    """Masked rank-1 experts in place of plain LoRA."""
    training: Training


class LowRank(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind", tag="low-rank"):
    rank: Annotated[int, Meta(ge=1, le=9007199254740991)]
    input: AdapterInput
    reference: RepairReference
    ridge: Annotated[float, Meta(ge=0, le=1.7976931348623157e+308)]
    """In units of the mean square of the input."""
    training: Training | None
    """null: closed-form, which is otherwise where training starts."""


class MaskedExperts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    probability: Annotated[float, Meta(ge=0, le=1)]
    """That a rank-1 expert is left out of a forward pass."""


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


class ModelTokenizerParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle


class ModelUnloadParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle


class NamedFormat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind", tag="named"):
    name: TaskFormat


class Objective(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Weights of the sum that training lowers."""

    kl: Annotated[float, Meta(ge=0, le=1.7976931348623157e+308)]
    """KL from the dense model's logits, stored as its top ones."""
    loss: Annotated[float, Meta(ge=0, le=1.7976931348623157e+308)]
    """Next-token cross entropy."""
    hidden: Annotated[float, Meta(ge=0, le=1.7976931348623157e+308)]
    """Squared error of the stream behind each gap, by the stream's own square."""


class PatchRepair(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind", tag="patch"):
    training: Training | None
    """null: untrained."""


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


class Rate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    micro: Annotated[float, Meta(ge=0, le=1)]
    """Share of items answered rightly, every item alike."""
    macro: Annotated[float, Meta(ge=0, le=1)] | None
    """Mean of the groups' shares; null where there are no groups."""
    standard_error: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    """Of micro, over items; null with one item."""


class RepairFitParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: list[UnitName]
    repairs: list[RepairHandle]
    """In the order they were made."""
    corpus: CorpusHandle
    method: RepairMethod
    skip_tokens: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """First tokens of each sequence that no statistic counts."""
    batch_size: Annotated[int, Meta(ge=1, le=9007199254740991)] | None
    """Sequences a pass of measuring; null: chosen for the device."""


class RepairFitResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    repairs: list[RepairInfo]
    """One a gap, from the bottom up, or one for the model as a whole."""
    gaps: list[GapError]
    """Where the method fits the stream behind each gap."""
    training: TrainingReport | None
    sequences: Annotated[int, Meta(ge=1, le=9007199254740991)]
    tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Tokens measured on."""
    skip_tokens: Annotated[int, Meta(ge=0, le=9007199254740991)]
    weights_unchanged: bool
    """The dense weights are bit for bit what they were, by checksum."""
    peak_bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Highest memory of the process, or of the device, during the call."""
    notes: list[str]
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]


class RepairInfo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    repair: RepairHandle
    method: str
    removed: list[UnitName]
    """The units it makes up for."""
    parameters: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Numbers it adds to the model in memory; 0 where it changes weights only."""
    digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    base: list[Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]]
    """Digests of the repairs it was made on top of."""


class RepairLoadParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    folder: Annotated[str, Meta(min_length=1)]


class RepairLoadResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    removed: list[UnitName]
    """All units that the saved subnetwork is without."""
    repairs: list[RepairInfo]


class RepairSaveParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: list[UnitName]
    repairs: list[RepairHandle]
    """In the order they were made."""
    folder: Annotated[str, Meta(min_length=1)]
    """Absolute path of the folder to write."""
    overwrite: bool


class RepairSaveResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    folder: str
    bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]


class RepairUnloadParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    repair: RepairHandle


class ReplacementBlock(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind", tag="replacement-block"):
    training: Training | None
    """null: the span's first block as it is."""


class RowsFormat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind", tag="rows"):
    pass


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
    data: DataHandle
    """A corpus, or a task."""
    units: Annotated[list[UnitName], Meta(min_length=1)]
    """The columns of kept."""
    kept: TensorRef
    """uint8 (subnetworks, ceil(units / 8)): bit u % 8 of byte u // 8, lowest first, is set where unit u stays."""
    repairs: list[RepairHandle]
    """In the order they were made."""
    repaired: TensorRef | None
    """uint8 (subnetworks, ceil(repairs / 8)), as kept: set where a repair is in place; null: wherever its units are removed."""
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
    """Positions or items each measure is a mean over."""
    distinct: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Subnetworks computed; the others equal one of them."""
    not_finite: list[Annotated[int, Meta(ge=0, le=9007199254740991)]]
    block_evaluations: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Blocks run on a batch, a sublayer counting as its share."""
    batch_size: Annotated[int, Meta(ge=1, le=9007199254740991)]
    notes: list[str]
    """What did not go as planned, such as batches halved for memory."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]


class TaskInfo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    task: TaskHandle
    kind: TaskKind
    format: str
    """A task format, or template."""
    digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """sha256 over token ids, answers and groups: what a score hangs on besides the model."""
    files: list[str]
    file_digests: list[Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]]
    """sha256 of each file's bytes."""
    items: Annotated[int, Meta(ge=1, le=9007199254740991)]
    rows: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Rows in the file, those beyond the limit included."""
    groups: list[str]
    """Such as subjects; empty where the format has none."""
    shots: Annotated[int, Meta(ge=0, le=9007199254740991)]
    limit: Annotated[int, Meta(ge=1, le=9007199254740991)] | None
    bos: BosPolicy
    bos_added: bool
    """Whether each prompt starts with a BOS token."""
    tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Tokens the model reads, prompts that choices share counted once."""
    longest: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Tokens of the longest prompt with a choice."""
    single_token: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Items whose choices are one token each, all different."""
    items_with_shots_dropped: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Items too long for the model that lost whole examples."""
    shots_dropped: Annotated[int, Meta(ge=0, le=9007199254740991)]
    items_cut: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Items too long even without examples, cut from the left."""
    tokens_cut: Annotated[int, Meta(ge=0, le=9007199254740991)]


class TaskLoadParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    path: Annotated[str, Meta(min_length=1)]
    """Absolute path of a .jsonl or .jsonl.gz file, one question a line."""
    format: FormatSource
    shots: Annotated[int, Meta(ge=0, le=5)]
    """Examples in front of each question."""
    shots_file: Annotated[str, Meta(min_length=1)] | None
    """Absolute path of the file they come from."""
    limit: Annotated[int, Meta(ge=1, le=9007199254740991)] | None
    """Take the first so many rows; null: all."""
    bos: BosPolicy


class TaskUnloadParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    task: TaskHandle


class TemplateFormat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind", tag="template"):
    prompt: str
    """With fields of the row in braces: {question}, {choices[0]}."""
    choices: ChoicesSource
    answer: Annotated[str, Meta(min_length=1)]
    """The field with the right choice: its index from 0, or its text."""
    group: Annotated[str, Meta(min_length=1)] | None
    """The field that macro averages are taken over."""
    description: str
    """In front of every prompt; may name fields."""
    delimiter: str
    """Between prompt and choice."""
    separator: str
    """Behind each few-shot example."""


class TensorRef(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    tensor: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Index of the frame, from 0, among this message's tensors."""


class TextSource(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind", tag="texts"):
    texts: Annotated[list[str], Meta(min_length=1)]


class TokenizerInfo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """sha256 over all that turns text into ids."""


class Training(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    objective: Objective
    teacher_top: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Of the dense model's logits at a position, how many are kept for kl."""
    steps: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Optimiser steps."""
    batch_size: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Sequences a forward pass."""
    accumulation: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Forward passes a step."""
    learning_rate: Annotated[float, Meta(gt=0, le=1.7976931348623157e+308)]
    warmup: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Steps of linear warm-up; a cosine to 0 follows."""
    clip: Annotated[float, Meta(gt=0, le=1.7976931348623157e+308)] | None
    """Largest norm of the gradient; null: not clipped."""
    weight_decay: Annotated[float, Meta(ge=0, le=1.7976931348623157e+308)]
    activation_checkpointing: bool
    validation: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Sequences held out from the corpus's end; 0: none, the last state is kept."""
    validate_every: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Steps from one validation to the next."""
    patience: Annotated[int, Meta(ge=1, le=9007199254740991)] | None
    """Validations without improvement before it stops; null: never."""
    folder: Annotated[str, Meta(min_length=1)] | None
    """Absolute path for checkpoints; an interrupted training resumes from it."""
    save_every: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Steps from one checkpoint to the next."""
    seed: Annotated[int, Meta(ge=0, le=9007199254740991)]


class TrainingPoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    step: Annotated[int, Meta(ge=0, le=9007199254740991)]
    objective: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    """Of this step's batch; null for the state before the first step."""
    validation: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    """On the held-out sequences, where they were scored after this step."""
    learning_rate: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    gradient_norm: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    tokens_per_second: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    seconds_left: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None


class TrainingReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    trained: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Parameters that were trained."""
    steps: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Optimiser steps that were taken."""
    best_step: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """The step whose state was kept."""
    tokens: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Tokens that went through training passes."""
    stopped: Literal["steps", "patience"]
    resumed_from: Annotated[int, Meta(ge=0, le=9007199254740991)] | None
    """The step of the checkpoint it went on from."""
    skipped_checkpoints: list[str]
    """Checkpoints that were incomplete or damaged."""
    change: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Norm of the change of all trained parameters."""
    points: list[TrainingPoint]


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


AdapterInput: TypeAlias = Literal["normed", "raw"]
AngularTokens: TypeAlias = Literal["last", "all"]
AttentionChoice: TypeAlias = Literal["auto", "eager", "sdpa", "flash_attention_2"]
BosPolicy: TypeAlias = Literal["auto", "always", "never"]
ChoicesSource: TypeAlias = ChoicesField | ChoicesList
CorpusHandle: TypeAlias = Annotated[str, Meta(pattern="^corpus-[0-9a-f]{8}-[0-9]+$(?!\\n)")]
DataHandle: TypeAlias = Annotated[str, Meta(pattern="^(corpus|task)-[0-9a-f]{8}-[0-9]+$(?!\\n)")]
DataSource: TypeAlias = FileSource | TextSource
DtypeChoice: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]
FinishReason: TypeAlias = Literal["length", "end-of-text", "stop"]
FormatSource: TypeAlias = RowsFormat | NamedFormat | TemplateFormat
GenerationScoreRule: TypeAlias = Literal["exact", "number"]
GenerationTaskHandle: TypeAlias = Annotated[str, Meta(pattern="^generation-task-[0-9a-f]{8}-[0-9]+$(?!\\n)")]
InfluenceMetric: TypeAlias = Literal["cosine", "l1", "l2", "relative-l1", "relative-l2"]
Measure: TypeAlias = Literal["loss", "kl", "logit-distance", "accuracy", "choice-loss"]
MemoryCountedBy: TypeAlias = Literal["allocator", "tensors"]
ModelHandle: TypeAlias = Annotated[str, Meta(pattern="^model-[0-9a-f]{8}-[0-9]+$(?!\\n)")]
Packing: TypeAlias = Literal["pack", "none"]
ProfileMode: TypeAlias = Literal["masked", "physical"]
ProfiledMode: TypeAlias = Literal["dense", "masked", "physical"]
RepairHandle: TypeAlias = Annotated[str, Meta(pattern="^repair-[0-9a-f]{8}-[0-9]+$(?!\\n)")]
RepairMethod: TypeAlias = EmulatedUpdate | BiasRepair | LowRank | FoldRepair | PatchRepair | ReplacementBlock | LoraRepair
RepairReference: TypeAlias = Literal["dense", "pruned"]
RowMode: TypeAlias = Literal["raw", "wikitext"]
TaskFormat: TypeAlias = Literal["mmlu", "arc_easy", "arc_challenge", "openbookqa", "piqa", "boolq", "hellaswag", "winogrande", "lambada"]
TaskHandle: TypeAlias = Annotated[str, Meta(pattern="^task-[0-9a-f]{8}-[0-9]+$(?!\\n)")]
TaskKind: TypeAlias = Literal["choices", "last-word"]
UnitKind: TypeAlias = Literal["block", "attention", "feed-forward"]
UnitName: TypeAlias = Annotated[str, Meta(pattern="^(block|attention|feed-forward)\\.[0-9]{1,6}$(?!\\n)")]

METHODS: dict[str, tuple[type[Struct], type[Struct]]] = {
    "worker.ping": (WorkerPingParams, WorkerPingResult),
    "worker.sleep": (WorkerSleepParams, WorkerSleepResult),
    "worker.status": (Empty, WorkerStatusResult),
    "model.load": (ModelLoadParams, ModelInfo),
    "model.tokenizer": (ModelTokenizerParams, TokenizerInfo),
    "model.unload": (ModelUnloadParams, Empty),
    "corpus.load": (CorpusLoadParams, CorpusInfo),
    "corpus.unload": (CorpusUnloadParams, Empty),
    "task.load": (TaskLoadParams, TaskInfo),
    "task.unload": (TaskUnloadParams, Empty),
    "subnetworks.evaluate": (SubnetworksEvaluateParams, SubnetworksEvaluateResult),
    "influence.measure": (InfluenceMeasureParams, InfluenceMeasureResult),
    "evaluation.perplexity": (EvaluationPerplexityParams, PerplexityResult),
    "evaluation.choices": (EvaluationChoicesParams, ChoicesResult),
    "evaluation.lastWord": (EvaluationLastWordParams, LastWordResult),
    "repair.fit": (RepairFitParams, RepairFitResult),
    "repair.save": (RepairSaveParams, RepairSaveResult),
    "repair.load": (RepairLoadParams, RepairLoadResult),
    "repair.unload": (RepairUnloadParams, Empty),
    "profiling.profile": (ProfilingProfileParams, ProfilingProfileResult),
    "generation.generate": (GenerationGenerateParams, GenerationGenerateResult),
    "generation.loadTask": (GenerationLoadTaskParams, GenerationTaskInfo),
    "generation.unloadTask": (GenerationUnloadTaskParams, Empty),
    "generation.solve": (GenerationSolveParams, GenerationSolveResult),
    "harness.run": (HarnessRunParams, HarnessRunResult),
    "export.huggingface": (ExportHuggingfaceParams, ExportHuggingfaceResult),
}
"""Method name to its params and its result."""
