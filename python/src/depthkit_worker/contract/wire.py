"""The wire contract as msgspec Structs. Written by `npm run generate`; do not edit."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct, field

CONTRACT_DIGEST = "f4c9614aa4ce1ed4444020b7855a386f7a793ead47da6daf188bd6781917f5f9"
"""sha256 of schemas/wire.schema.json: both sides must have the same."""

class ChoicesOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    batch_size: Annotated[int, Meta(ge=1, le=65536)] | None = None
    """Items per batch, those behind the same examples as one; null: as many as pay and fit."""
    items: bool = False
    """Also give every item."""
    compare_to_dense: bool = False
    """Score the whole model too, and say where the two choose alike."""


class CorpusOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    sequences: Annotated[int, Meta(ge=1, le=9007199254740991)] | None = None
    """How many sequences to take; null: all there are."""
    skip: Annotated[int, Meta(ge=0, le=9007199254740991)] = 0
    """Sequences at the front to leave out, so that one text gives parts that share nothing."""
    numbers: Annotated[tuple[Annotated[int, Meta(ge=0, le=9007199254740991)], ...], Meta(min_length=1)] | None = None
    """Which of the text's sequences to take, counted from 0, in growing order; null: those that follow `skip`."""
    length: Annotated[int, Meta(ge=2, le=9007199254740991)] = 512
    """Tokens per sequence."""
    packing: Packing = "pack"
    """pack: one stream cut to equal length; none: one sequence per text, cut at the length."""
    separator: str = "\n\n"
    """Stands between two texts of a packed stream."""
    bos: BosPolicy = "auto"
    """BOS token at the start of each sequence; auto: where the tokeniser adds it itself."""


class CorpusWriteOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    prompt_tokens: Annotated[int, Meta(ge=1, le=9007199254740991)] | None = None
    """First tokens of each sequence that are its prompt; null: the whole sequence."""
    new_tokens: Annotated[int, Meta(ge=1, le=9007199254740991)] = 256
    """Tokens to write behind each at most; a token that ends a text is one."""
    temperature: Annotated[float, Meta(ge=0, le=100)] = 0.0
    """0: the likeliest token each time."""
    seed: Annotated[int, Meta(ge=0, le=9007199254740991)] = 0
    """For sampling: each sequence draws by it and its own number."""
    batch_size: Annotated[int, Meta(ge=1, le=65536)] = 8
    """Sequences at a time."""


class EngineOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    scored_positions: ScoredPositions = field(default_factory=lambda: ScoredPositions())
    """Positions of each sequence of a corpus that are scored."""
    batch_size: Annotated[int, Meta(ge=1, le=65536)] | None = None
    """Sequences, or items of a task, per batch; items behind the same examples are one; null: as many as pay and fit."""
    memory_budget: Annotated[int, Meta(ge=1, le=9007199254740991)] | None = None
    """Bytes the evaluation may take beside the model; null: chosen for the device."""
    precision: Precision = "exact"
    """exact: in the dtype the model is loaded in. screen: products of a float32 model in bfloat16, for looking at many sets; docs/engine.md says how far off that is."""


class ExportOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    overwrite: bool = False
    """Replace an earlier export; a folder that is not empty is refused otherwise."""
    dtype: DtypeChoice = "auto"
    """auto: the dtype the source is stored in."""
    vision: bool = False
    """Of a checkpoint that reads images too: save it whole, tower and projector as they are; else the language model by itself."""
    note: str = ""
    """How the units were chosen, for the model card."""


class GenerateOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    chat: bool = False
    """Wrap each prompt as a user's turn in the model's chat template."""
    max_new_tokens: Annotated[int, Meta(ge=1, le=9007199254740991)] = 64
    """Tokens to write at most."""
    temperature: Annotated[float, Meta(ge=0, le=1.7976931348623157e+308)] = 0.0
    """0 is greedy: the likeliest token each time."""
    top_p: Annotated[float, Meta(gt=0, le=1)] = 1.0
    """Sample from the likeliest tokens that hold this much probability; 1: from all."""
    seed: Annotated[int, Meta(ge=0, le=9007199254740991)] = 0
    """For sampling."""
    stop: tuple[Annotated[str, Meta(min_length=1)], ...] = ()
    """Stop once one of these strings was written."""
    cache: bool = True
    """Keep a KV cache; without it every token costs a whole forward pass."""
    batch_size: Annotated[int, Meta(ge=1, le=65536)] = 1
    """Prompts at a time; above 1 with a cache."""


class GenerationTaskOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    prompt: Annotated[str, Meta(min_length=1)]
    """An item's prompt, with fields of the row in braces: Question: {question}\nAnswer:."""
    target: Annotated[str, Meta(min_length=1)] = "answer"
    """The field that holds the right answer, or a list of them: the best of them counts."""
    score: GenerationScoreRule = "exact"
    """exact: the same text, white space at the ends aside; number: the same number in both; rouge-l: the longest run of words in common, gaps allowed."""
    shots: Annotated[int, Meta(ge=0, le=9007199254740991)] = 0
    """Worked examples in front of every item."""
    shots_from: RowSource | None = None
    """Where the examples come from; null: the task's own first rows, which are not asked then."""
    answer_prefix: str = " "
    """Stands between an example's prompt and its target."""
    separator: str = "\n\n"
    """Stands between examples, and ends an answer unless `stop` says otherwise."""
    limit: Annotated[int, Meta(ge=1, le=9007199254740991)] | None = None
    """Ask the first so many rows; null: all."""


class GgufOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    overwrite: bool = False
    """Replace a GGUF file that depthkit wrote; any other file is refused."""
    dtype: GgufDtype = "auto"
    """auto: a base file's tensors as they are, else the dtype the source is stored in."""
    base: Annotated[str, Meta(min_length=1)] | None = None
    """The GGUF file that the model was loaded from, where it is no longer in its place."""
    note: str = ""
    """How the units were chosen, for the file's metadata."""


class HarnessOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    tasks: Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=1)]
    """Tasks, groups or tags of lm-eval, or patterns such as mmlu_*."""
    limit: Annotated[int, Meta(ge=1, le=9007199254740991)] | None = None
    """Items of each task, from the front; null: all."""
    shots: Annotated[int, Meta(ge=0, le=9007199254740991)] | None = None
    """Examples in front of each item; null: what the task says; a task that fixes 0 keeps it."""
    chat_template: bool = False
    """Ask in the model's chat template, examples as turns: the harness's apply_chat_template."""
    batch_size: Annotated[int, Meta(ge=1, le=65536)] = 1
    """Items at a time."""
    include_path: Annotated[str, Meta(min_length=1)] | None = None
    """A folder with task files (.yaml) of your own."""


class HubPushOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    private: bool = False
    """Only you and your organisation see the repository. One that is there already is not changed: where it is public, the push is refused."""
    revision: Annotated[str, Meta(min_length=1)] = "main"
    """The branch; where there is none of this name, it is made from main."""
    message: Annotated[str, Meta(min_length=1)] = "Model exported by depthkit"
    """The commit's message."""
    overwrite: bool = False
    """Replace what the branch holds: all other files in it go in the same commit. Its history stays."""


class InfluenceGradientOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    batch_size: Annotated[int, Meta(ge=1, le=65536)] = 4
    """Sequences at a time; the values do not depend on it."""


class InfluenceOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    batch_size: Annotated[int, Meta(ge=1, le=65536)] = 4
    """Sequences at a time; the values do not depend on it."""
    angular_tokens: AngularTokens = "last"
    """Tokens of a sequence the angular distance is averaged over."""
    skip_first_tokens: Annotated[int, Meta(ge=0, le=9007199254740991)] = 0
    """Tokens at each sequence's start to leave out: their activations dwarf the rest."""
    cosines: bool = False
    """Also the mean cosine between the stream at every two boundaries of blocks, over all tokens counted: a batch's stream is then held at every boundary."""


class LastWordOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    batch_size: Annotated[int, Meta(ge=1, le=65536)] | None = None
    """Items per batch, those behind the same examples as one; null: as many as pay and fit."""
    items: bool = False
    """Also give every item."""


class LearnGatesOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    steps: Annotated[int, Meta(ge=1, le=9007199254740991)] = 100
    """Steps, each on one batch under one draw of the gates."""
    batch_size: Annotated[int, Meta(ge=1, le=65536)] = 4
    """Sequences per step."""
    rate: Annotated[float, Meta(gt=0, le=100)] = 0.3
    """How far the logits of the first step go, in the mean; a cosine to 0 follows."""
    noise: Annotated[float, Meta(ge=0, le=100)] = 1.0
    """What the Gumbel noise of the first step is multiplied by; it falls to 0 in a line."""
    temperature: Annotated[float, Meta(gt=0, le=100)] = 2.0
    """Of the soft mask that the hard one has its slope from."""
    seed: Annotated[int, Meta(ge=0, le=9007199254740991)] = 0
    """For the noise, the order of the sequences and LoRA's start."""
    lora: GateLora | None = None
    """Low-rank changes of what stays, learned along and kept as a repair; null: none."""


class ModelOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    revision: Annotated[str, Meta(min_length=1)] | None = None
    """Branch, tag or commit of a hub id; null: its main branch."""
    adapter: Annotated[str, Meta(min_length=1)] | None = None
    """Folder or hub id of a LoRA adapter for this model, merged into its weights; null: none."""
    dtype: DtypeChoice = "auto"
    """auto: the dtype the checkpoint is stored in."""
    device: Annotated[str, Meta(pattern="^(auto|cpu|mps|cuda(:[0-9]+)?)$(?!\\n)")] = "auto"
    """auto: the first CUDA device, else MPS, else the CPU; or cpu, cuda, cuda:N, mps."""
    device_map: Annotated[str, Meta(pattern="^(auto|(cpu|mps|cuda:[0-9]+)(=[0-9]{1,6})?(,(cpu|mps|cuda:[0-9]+)(=[0-9]{1,6})?)*)$(?!\\n)")] | None = None
    """Spread the blocks over several devices: auto (all CUDA devices), cuda:0,cuda:1 (by the memory they have free) or cuda:0=20,cuda:1=12 (so many blocks each); null: all on one device."""
    attention: AttentionChoice = "auto"
    """The attention implementation; auto: the library's choice."""
    trust_remote_code: bool = False
    """Let the checkpoint run code of its own."""


class OnnxOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    overwrite: bool = False
    """Replace an earlier export; a folder that is not empty is refused otherwise."""
    dtypes: Annotated[tuple[OnnxDtype, ...], Meta(min_length=1)] = ("fp32",)
    """A graph each: fp32; fp16, its cache too; int8 and q4, weights of 8 and 4 bits in blocks of 32 with a scale, all else fp32."""
    note: str = ""
    """How the units were chosen, for the model card."""


class PerplexityOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    rows: RowMode = "raw"
    """raw: the text as it is; wikitext: the published protocol's rows (docs/methods.md)."""
    separator: str = "\n\n"
    """Stands between two texts."""
    chunk: Annotated[int, Meta(ge=2, le=9007199254740991)] | None = None
    """Tokens per chunk; null: 2,048, or the model's limit where that is less."""
    stride: Annotated[int, Meta(ge=1, le=9007199254740991)] | None = None
    """Tokens from one chunk's start to the next, each scored once; null: the chunk."""
    max_chunks: Annotated[int, Meta(ge=1, le=9007199254740991)] | None = None
    """Stop after this many chunks; null: never."""
    bos: BosPolicy = "auto"
    """BOS token at the start of each chunk; auto: where the tokeniser adds it itself."""
    batch_size: Annotated[int, Meta(ge=1, le=65536)] = 1
    """Chunks at a time."""
    items: bool = False
    """Also give every item."""


class PolicyMeasureOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    measures: Annotated[tuple[Measure, ...], Meta(min_length=1)] = ("loss",)
    """loss, kl and logit-distance, each once; the last two against the whole model."""
    batch_size: Annotated[int, Meta(ge=1, le=65536)] = 8
    """Sequences per batch."""


class ProfileOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    modes: Annotated[tuple[ProfileMode, ...], Meta(min_length=1)] = ("masked", "physical",)
    """What is compared with the whole model, each once."""
    prompt_tokens: Annotated[int, Meta(ge=1, le=9007199254740991)] | None = None
    """Tokens of the prompt whose reading is timed; null: 512, or the model's limit where that is less."""
    context_tokens: Annotated[int, Meta(ge=1, le=9007199254740991)] | None = None
    """Tokens before the first one written; null: 128, or half the model's limit at most."""
    new_tokens: Annotated[int, Meta(ge=1, le=9007199254740991)] = 32
    """Tokens written by each timed run."""
    batch_sizes: Annotated[tuple[Annotated[int, Meta(ge=1, le=65536)], ...], Meta(min_length=1)] = (1, 8,)
    """Texts written at a time, each once."""
    rounds: Annotated[int, Meta(ge=1, le=9007199254740991)] = 5
    """Times every model is timed, in turn."""
    warmup_rounds: Annotated[int, Meta(ge=0, le=9007199254740991)] = 1
    """Rounds before these, not counted."""
    seed: Annotated[int, Meta(ge=0, le=9007199254740991)] = 0
    """For the random prompts."""
    text: Annotated[str, Meta(min_length=1)] | None = None
    """What is read, from its first token on, and continued; null: tokens by lot."""


class PromptOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    tokens: Annotated[int, Meta(ge=1, le=65536)] = 32
    """First tokens of a sequence that choose its route, a BOS token included; the rest is scored."""
    boundary: Annotated[int, Meta(ge=0, le=9007199254740991)] = 0
    """They are read in the stream in front of this block; 0: as they are embedded."""


class RepairFitOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    skip_tokens: Annotated[int, Meta(ge=0, le=9007199254740991)] = 0
    """First tokens of each sequence that no statistic counts: their activations dwarf the rest."""
    batch_size: Annotated[int, Meta(ge=1, le=65536)] | None = None
    """Sequences a pass of measuring; null: chosen for the device."""


class RepairSaveOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    overwrite: bool = False
    """Replace a subnetwork saved there before; a folder that is not empty is refused otherwise."""


class SolveOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    max_new_tokens: Annotated[int, Meta(ge=1, le=9007199254740991)] = 256
    """Tokens an answer at most."""
    stop: tuple[Annotated[str, Meta(min_length=1)], ...] | None = None
    """Strings that end an answer; null: what stands between the task's examples."""
    batch_size: Annotated[int, Meta(ge=1, le=65536)] = 8
    """Items at a time."""
    chat: bool = False
    """Wrap each prompt as a user's turn in the model's chat template."""
    samples: Annotated[int, Meta(ge=1, le=65536)] = 1
    """Answers to each item, drawn one by one; several need a temperature above 0."""
    temperature: Annotated[float, Meta(ge=0, le=1.7976931348623157e+308)] = 0.0
    """0 is greedy: the likeliest token each time."""
    top_p: Annotated[float, Meta(gt=0, le=1)] = 1.0
    """Sample from the likeliest tokens that hold this much probability; 1: from all."""
    seed: Annotated[int, Meta(ge=0, le=9007199254740991)] = 0
    """For sampling."""
    pass_at: tuple[Annotated[int, Meta(ge=1, le=9007199254740991)], ...] = ()
    """The k of each pass@k: how likely one of k answers is right; none above `samples`."""
    items: bool = False
    """Also give every item, with what was written."""


class StreamOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    batch_size: Annotated[int, Meta(ge=1, le=65536)] = 4
    """Sequences at a time; the values do not depend on it."""
    skip_first_tokens: Annotated[int, Meta(ge=0, le=9007199254740991)] = 0
    """Tokens at each sequence's start to leave out: their activations dwarf the rest."""


class TargetOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    kind: TargetKind
    overwrite: bool = False
    """What depthkit wrote itself may be replaced."""


class TaskOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    format: TaskFormat | TaskTemplate | None = None
    """A known format, or a template; null: what the rows name in their field `task`."""
    shots: Annotated[int, Meta(ge=0, le=5)] = 0
    """Examples in front of each question, of its own group where there are groups."""
    shots_from: RowSource | None = None
    """Where the examples come from; null: the task's own first rows, which are not asked then."""
    limit: Annotated[int, Meta(ge=1, le=9007199254740991)] | None = None
    """Ask the first so many rows; null: all."""
    chat_template: bool = False
    """Ask in the model's chat template: a question is a user's turn, a choice the reply."""
    bos: BosPolicy = "auto"
    """BOS token at the start of each prompt; auto: where the tokeniser adds it itself."""


class Accelerator(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    name: str
    """As the driver has it."""
    memory_bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Its memory."""
    capability: str
    """Of CUDA, such as 9.0."""


class Agreement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    dense_acc: Annotated[float, Meta(ge=0, le=1)]
    """The dense model's own accuracy."""
    agreement: Annotated[float, Meta(ge=0, le=1)]
    """Share of items where both choose the same, right or wrong."""
    both_right: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Items both answer rightly."""
    only_dense_right: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Items the dense model alone answers rightly."""
    only_subnetwork_right: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Items the subnetwork alone answers rightly."""
    both_wrong: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Items neither answers rightly."""
    stability: Annotated[float, Meta(ge=0, le=1)] | None
    """Share of items both answer rightly or both wrongly, each weighing exp of the spread of the dense model's choice perplexities; null where one of these is larger than any number."""
    retained: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    """The subnetwork's accuracy in percent of the dense model's; null where that is 0."""


class BiasOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="method", tag="bias"):
    training: TrainingOptions = field(default_factory=lambda: TrainingOptions())


class ChoiceItems(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    log_likelihoods: TensorRef
    """float64 (choices): in nats, item after item."""
    ends: TensorRef
    """uint32 (items): choices up to and with each item."""
    chosen: TensorRef
    """uint32 (items): the choice of the highest log-likelihood."""
    chosen_norm_chars: TensorRef
    """uint32 (items): that of the highest a character."""
    chosen_norm_bytes: TensorRef
    """uint32 (items): that of the highest a byte."""
    answers: TensorRef
    """uint32 (items): the right choice."""


class ChoicesResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    acc: Rate
    """By log-likelihood."""
    acc_norm_chars: Rate
    """By log-likelihood a character of the choice."""
    acc_norm_bytes: Rate
    """By log-likelihood a byte of the choice in UTF-8."""
    groups: tuple[GroupScore, ...]
    """The same by group, where the task has groups."""
    choice_loss: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Mean of -log softmax(log-likelihoods)[answer], in nats."""
    probability_mass: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Mean over items of the choices' probabilities, summed."""
    ties: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Items whose highest log-likelihood several choices have; the lowest index wins."""
    items: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Questions asked."""
    task_digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """The task's digest."""
    comparison: Agreement | None
    """Beside the dense model, where asked for."""
    per_item: ChoiceItems | None
    skips: Skips | None
    """What the policy skipped; null without one."""
    batch_size: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Items in the largest batch; 0 where all were known."""
    notes: tuple[str, ...]
    """What did not go as planned, such as batches halved for memory."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Seconds it took."""


class CorpusInfo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    data: DataInfo
    """What was read."""
    tokens_digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """sha256 of the token ids as little-endian int32, sequence after sequence."""
    sequences: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Sequences held."""
    length: Annotated[int, Meta(ge=2, le=9007199254740991)]
    """Tokens per sequence, at most."""
    tokens: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Tokens held."""
    tokens_total: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Tokens in the text as a whole."""
    tokens_dropped: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Tokens left out, in front, between and at the end."""
    skip: Annotated[int, Meta(ge=0, le=9007199254740991)] = 0
    """Sequences left out in front."""
    numbers: tuple[Annotated[int, Meta(ge=0, le=9007199254740991)], ...] | None = None
    """Which of the text's sequences it holds; null: those that follow `skip`."""
    packing: Packing
    """How texts became sequences."""
    separator: str
    """What stands between two texts of a packed stream."""
    bos: BosPolicy
    """The policy asked for."""
    bos_added: bool
    """Whether each sequence starts with a BOS token."""
    bos_in_text: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Sequences whose text begins with a BOS token of its own; no second one is put in front of it."""
    first_tokens: tuple[FirstToken, ...]
    """The first tokens, 16 at most, as the model gets them."""
    written: WrittenInfo | None = None
    """Where a model wrote all but the beginnings of the sequences: which, and how."""


class CorpusLoadParams(CorpusOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    data: DataSource


class CorpusLoadResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    corpus: CorpusHandle
    info: CorpusInfo


class CorpusOverlap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    stretch: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Tokens of a stretch."""
    stretches: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Stretches of the second corpus: its sequences cut into pieces of this length."""
    shared: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Of these, how many stand somewhere in the first corpus too."""
    example: str | None
    """The text of the first shared one; null where none is."""


class CorpusOverlapParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    first: CorpusHandle
    second: CorpusHandle


class CorpusUnloadParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    corpus: CorpusHandle


class CorpusWriteParams(CorpusWriteOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    corpus: CorpusHandle
    known: ItemValues | None = None
    """Items known from before; where it is given, though empty, others are sent as they are finished."""


class DataInfo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """sha256 of the text records, whatever file they came in."""
    files: tuple[str, ...]
    """The files it was read from, a hub's with its commit; empty where texts were given."""
    records: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Text records read."""
    skipped: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Records without text, left out."""
    lines: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Lines of the files, those without text included."""
    characters: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Characters of the text."""
    bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Bytes of the text in UTF-8."""


class Empty(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    pass


class EmulatedUpdateOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="method", tag="emulated-update"):
    reference: RepairReference = "dense"
    """Measure in the whole model, or in the one pruned and repaired below each gap."""
    scale: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] = 1.0
    """What the mean is multiplied by; 1: the mean."""


class EnvironmentReadResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    python: str
    """The version of Python."""
    packages: tuple[PackageVersion, ...]
    """What figures may depend on, as it is installed."""
    system: str
    """The operating system."""
    processor: str
    """The kind of processor, such as x86_64."""
    threads: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Threads of a computation on the CPU."""
    cuda: str | None
    """The CUDA version torch was built for; null for a build without."""
    accelerators: tuple[Accelerator, ...]
    """CUDA devices."""


class EvaluationChoicesParams(ChoicesOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: tuple[UnitName, ...]
    repairs: tuple[RepairHandle, ...]
    """In the order they were made."""
    policy: Policy | None = None
    """What it follows; null: all units run."""
    task: TaskHandle
    known: ItemValues | None = None
    """Items known from before; where it is given, though empty, others are sent as they are finished."""


class EvaluationLastWordParams(LastWordOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: tuple[UnitName, ...]
    repairs: tuple[RepairHandle, ...]
    """In the order they were made."""
    policy: Policy | None = None
    """What it follows; null: all units run."""
    task: TaskHandle
    known: ItemValues | None = None
    """Items known from before; where it is given, though empty, others are sent as they are finished."""


class EvaluationPerplexityParams(PerplexityOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: tuple[UnitName, ...]
    repairs: tuple[RepairHandle, ...]
    """In the order they were made."""
    policy: Policy | None = None
    """What it follows; null: all units run."""
    data: DataSource
    known: ItemValues | None = None
    """Items known from before; where it is given, though empty, others are sent as they are finished."""


class ExportCanExportParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: tuple[UnitName, ...]
    repairs: tuple[RepairHandle, ...]
    """In the order they were made."""
    format: ExportFormat


class ExportCanExportResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    possible: bool
    """Whether an export to this format can hold the subnetwork."""
    reason: str | None
    """Why not; null where it can."""
    nearest: ExportNearest | None
    """The nearest subnetwork that can be exported; null where this one can, or none is known."""


class ExportCheckParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    folder: Annotated[str, Meta(min_length=1)]
    """A checkpoint or an ONNX export that depthkit wrote."""
    dtype: OnnxDtype | None = None
    """Which graph of an ONNX export; null: the widest that is there."""
    runtime: WorkerRuntime | None = None
    """What loads it; null: transformers a checkpoint, onnxruntime an ONNX export."""
    trust_remote_code: bool = False
    """Run the modelling file that lies in it."""


class ExportCheckResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    runtime: str
    """The software that loaded it, with its version."""
    largest_difference: Annotated[float, Meta(ge=0, le=1.7976931348623157e+308)]
    """Of log-probabilities: those of the reference's likeliest tokens, at every place of every prompt."""
    agreement: Annotated[float, Meta(ge=0, le=1)]
    """How many of the likeliest next tokens are the reference's."""
    written: Annotated[float, Meta(ge=0, le=1)]
    """How many of the tokens written after the prompts are the reference's, up to the first other one."""
    cached: Annotated[float, Meta(ge=0, le=1)]
    """How many of them it writes without a cache too. Near ties count as the same: in llama.cpp those no further apart than twice largestDifference."""
    left_padded: Annotated[float, Meta(ge=0, le=1)] | None = None
    """How many of the likeliest next tokens are the reference's where all its prompts are one batch, padded on the left; null where the software has no such batches."""
    same_tokens: bool | None
    """Whether it splits the reference's prompts and texts into the same tokens; null where there is none."""
    kv_bytes_per_token: Annotated[int, Meta(ge=0, le=9007199254740991)] | None
    """Of its cache, as it holds it; null where it does not say."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Seconds it took."""


class ExportGgufParams(GgufOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: tuple[UnitName, ...]
    repairs: tuple[RepairHandle, ...]
    """In the order they were made."""
    target: Annotated[str, Meta(min_length=1)]
    """The file to write."""


class ExportGgufResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    file: str
    """Where it was written."""
    architecture: str
    """What llama.cpp reads it as; deci: Llama's shape, where a layer may lack a sublayer."""
    removed: tuple[UnitName, ...]
    """The units that were removed."""
    kept_blocks: tuple[Annotated[int, Meta(ge=0, le=9007199254740991)], ...]
    """Blocks of which at least one sublayer stays."""
    layers: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Layers of the file."""
    bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Of the file."""
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """Of the file."""
    weights_digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """sha256 over the tensors' bytes, in their order."""
    base: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")] | None
    """sha256 of the GGUF file that metadata and tensors were copied from; null: converted."""
    parameters_before: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Of the whole model."""
    parameters_after: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Of what was written, zeros that stand for removed parts included."""
    weight_bytes_after: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Bytes of the tensors written."""
    kv_bytes_per_token_before: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """llama.cpp's KV cache of the whole model, for each token, in fp16."""
    kv_bytes_per_token_after: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """The same of what was written."""
    dtype: str
    """What most of the weights are written as."""
    notes: tuple[str, ...]
    """What was folded or written how."""
    warnings: tuple[str, ...]
    """What a user of the file should look at."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Seconds it took."""


class ExportHuggingfaceParams(ExportOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: tuple[UnitName, ...]
    repairs: tuple[RepairHandle, ...]
    """In the order they were made."""
    target: Annotated[str, Meta(min_length=1)]
    """The folder to write."""


class ExportHuggingfaceResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    folder: str
    """Where it was written."""
    layout: Literal["plain", "depthkit"]
    """plain: any software that reads the architecture; depthkit: one layer per kept attention, with code of its own."""
    removed: tuple[UnitName, ...]
    """The units that were removed."""
    kept_blocks: tuple[Annotated[int, Meta(ge=0, le=9007199254740991)], ...]
    """Blocks of which at least one sublayer stays."""
    files: tuple[ExportedFile, ...]
    """All that was written."""
    weights_digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """As of a loaded model: sha256 over the weight files."""
    adapter_digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")] | None = None
    """Of the LoRA adapter in the folder `adapter`, which belongs to packed weights: sha256 over its files; null: there is none."""
    parameters_before: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Of the whole model."""
    parameters_after: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Of what was written."""
    weight_bytes_before: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Bytes of the whole model's weights, in the dtype written."""
    weight_bytes_after: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Bytes of the weights written."""
    kv_bytes_per_token_before: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """KV cache of the whole model, for each token."""
    kv_bytes_per_token_after: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """KV cache of what was written, for each token."""
    dtype: str
    """The dtype written."""
    max_logit_difference: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Of the written files to the subnetwork in memory, computed in the loaded dtype, over every token of a fixed batch."""
    notes: tuple[str, ...]
    """What was folded where, why this layout, and which software reads it."""
    warnings: tuple[str, ...]
    """What a user of the checkpoint should look at."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Seconds it took."""


class ExportLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    refused: tuple[ExportRefusedUnit, ...]
    """The units that are refused whatever else goes, in the given order."""
    keeps_pattern: bool
    """Whether blocks of two kinds must keep their order: the format goes by a block's number."""


class ExportLimitsParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    format: ExportFormat
    units: Annotated[tuple[UnitName, ...], Meta(min_length=1)]
    """The units that may go."""
    repairs: tuple[RepairMethod, ...] = ()
    """What stands in the place of what is gone: each method on top of the one before."""


class ExportNearest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    removed: tuple[UnitName, ...]
    """The units that it is without."""
    repairs: tuple[str, ...]
    """The methods of the repairs that stay, in their order."""


class ExportOnnxParams(OnnxOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: tuple[UnitName, ...]
    repairs: tuple[RepairHandle, ...]
    """In the order they were made."""
    target: Annotated[str, Meta(min_length=1)]
    """The folder to write."""


class ExportOnnxResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    folder: str
    """Where it was written."""
    model_type: str
    """What transformers.js takes it for."""
    layers: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Caches of keys and values: one a kept attention."""
    removed: tuple[UnitName, ...]
    """The units that were removed."""
    kept_blocks: tuple[Annotated[int, Meta(ge=0, le=9007199254740991)], ...]
    """Blocks of which at least one sublayer stays."""
    files: tuple[ExportedFile, ...]
    """All that was written."""
    weights_digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """sha256 over the graphs' files."""
    graphs: tuple[OnnxGraph, ...]
    """As each answers in onnxruntime, beside the subnetwork in memory."""
    parameters_before: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Of the whole model."""
    parameters_after: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Of what was written."""
    notes: tuple[str, ...]
    """What was folded or written how."""
    warnings: tuple[str, ...]
    """What a user of the graphs should look at."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Seconds it took."""


class ExportOrigin(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    name: str
    """A hub id, a bundled name, or the last part of a path."""
    revision: str | None
    """A hub id's commit."""
    weights: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """Digest of its weights."""
    license: str | None
    """As the source's card states it."""


class ExportProvenance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    version: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Of this form: 1."""
    source: ExportOrigin
    """What the first step was made from."""
    steps: tuple[ExportStep, ...]
    """One an export, the first one first."""


class ExportReference(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    version: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Of this form: 1."""
    prompts: Annotated[tuple[ExportReferencePrompt, ...], Meta(min_length=1)]
    """Computed from the subnetwork in memory."""
    texts: tuple[ExportReferenceText, ...]
    """For the tokenizer alone; empty without one."""
    kv_bytes_per_token: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Of the live model's cache, in its dtype."""


class ExportReferencePrompt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    text: str | None
    """The prompt; null where its tokens are cut to what the model reads, or were made up."""
    ids: Annotated[tuple[Annotated[int, Meta(ge=0, le=9007199254740991)], ...], Meta(min_length=1)]
    """Its tokens, as the model gets them."""
    likeliest: Annotated[tuple[Annotated[int, Meta(ge=0, le=9007199254740991)], ...], Meta(min_length=1)]
    """Behind each token, the likeliest next one."""
    log_probabilities: Annotated[tuple[Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)], ...], Meta(min_length=1)]
    """Natural, of the likeliest next tokens."""
    written: Annotated[tuple[Annotated[int, Meta(ge=0, le=9007199254740991)], ...], Meta(min_length=1)]
    """What greedy generation writes: 16 tokens, or as many as the model has room for."""


class ExportReferenceText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    text: str
    """Spaces, accents, digits and signs, where tokenizers differ."""
    ids: tuple[Annotated[int, Meta(ge=0, le=9007199254740991)], ...]
    """What the model's own tokenizer makes of it."""


class ExportRefusedUnit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    unit: UnitName
    reason: str
    """Why the format does not hold the model without it."""


class ExportStep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    depthkit: str
    """The version that wrote it."""
    from_weights: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """The weights it was made from; those of the step before, unless they were tuned."""
    removed: tuple[UnitName, ...]
    """By the numbers that the blocks had before this step."""
    kept_blocks: tuple[Annotated[int, Meta(ge=0, le=9007199254740991)], ...]
    """Blocks of which at least one sublayer stayed."""
    repairs: tuple[ExportedRepair, ...]
    layout: Literal["plain", "depthkit", "gguf", "onnx"]
    dtype: str
    """The dtype written."""
    weights: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """Digest of the weights written."""
    adapter: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")] | None = None
    """Digest of the LoRA adapter that lies beside packed weights and belongs to them."""
    note: str
    """How the units were chosen, as the export was told."""


class ExportedFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    name: str
    """From the folder; parts of a path with slashes."""
    bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Its size."""
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """Of its bytes."""


class ExportedRepair(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    method: str
    removed: tuple[UnitName, ...]
    digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]


class FeedForwardSkipping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind", tag="feed-forward-skipping"):
    """A token whose stream a feed-forward hardly turned skips those behind it (arXiv 2404.03865)."""

    start: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """The first block it is about: those before it always run (the cold start)."""
    end: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """The first block behind these: from here on all run again (the cold end)."""
    threshold: Annotated[float, Meta(ge=-1, le=2)]
    """Least cosine of the stream in front of a feed-forward and behind it that lets the next be skipped; above 1 none are."""
    run: Annotated[int, Meta(ge=1, le=65536)]
    """Feed-forwards that a token skips in a row."""
    warm_up: Annotated[int, Meta(ge=0, le=9007199254740991)] = 25
    """Tokens at a text's beginning for which everything runs."""


class FileSource(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind", tag="files"):
    files: Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=1)]
    """Paths of .txt files, or of files of rows: .jsonl, .jsonl.gz, .json, .json.gz, .csv, .tsv, .parquet. Or names on the Hugging Face hub, such as hf://datasets/OWNER/NAME/PATH."""
    text_field: Annotated[str, Meta(min_length=1)] = "text"
    """The field of a JSON line that holds its text."""
    strict: bool = False
    """Refuse lines without text, where otherwise they are counted and skipped."""


class FilesDigestParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    files: Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=1)]
    """Files of text, such as a corpus is made of."""


class FilesDigestResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    digests: tuple[Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")], ...]
    """sha256 of each file's bytes."""


class FilesListParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    folder: Annotated[str, Meta(min_length=1)]
    """One that this worker wrote an export or a saved subnetwork to."""


class FilesListResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    files: tuple[ExportedFile, ...]


class FilesReadParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    folder: Annotated[str, Meta(min_length=1)]
    """One that this worker wrote an export or a saved subnetwork to."""
    name: Annotated[str, Meta(min_length=1)]
    """As it was listed."""
    offset: Annotated[int, Meta(ge=0, le=9007199254740991)]
    bytes: Annotated[int, Meta(ge=1, le=1048576)]


class FilesReadResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    data: TensorRef
    """uint8; shorter than asked for at the file's end."""


class FirstToken(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    id: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """The token's number in the vocabulary."""
    piece: str
    """As the tokenizer's vocabulary writes it."""


class FixedSkipping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind", tag="fixed-skipping"):
    """The control that looks at nothing: every token skips the same feed-forwards."""

    blocks: Annotated[tuple[Annotated[int, Meta(ge=0, le=9007199254740991)], ...], Meta(min_length=1)]
    """Whose feed-forwards are skipped, each once."""
    warm_up: Annotated[int, Meta(ge=0, le=9007199254740991)] = 25
    """Tokens at a text's beginning for which everything runs."""


class FoldDescent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    steps: Annotated[int, Meta(ge=0, le=9007199254740991)] = 200
    """Steps of Adam; 0: the least squares it starts from."""
    learning_rate: Annotated[float, Meta(gt=0, le=100)] = 0.0001
    """At the first step; it falls to 0 in a straight line."""
    batch_tokens: Annotated[int, Meta(ge=1, le=1000000)] = 1024
    """Tokens per step."""
    tokens: Annotated[int, Meta(ge=1, le=100000000)] = 32768
    """Tokens of the corpus to keep the stream of, drawn by the seed where there are more."""
    seed: Annotated[int, Meta(ge=0, le=9007199254740991)] = 0
    """For the tokens that are kept, and for their order."""


class FoldDescentReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    before: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """The objective with least squares, mean over the tokens kept."""
    after: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """With the map that was taken, over the same tokens."""
    steps: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Steps that were taken."""
    tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Tokens kept."""


class FoldOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="method", tag="fold"):
    reference: RepairReference = "dense"
    """Measure in the whole model, or in the one pruned and repaired below each gap."""
    ridge: Annotated[float, Meta(ge=0, le=1.7976931348623157e+308)] | Literal["auto"] | None = 0.1
    """Towards the identity, in units of the input's mean square; auto: the one that held-out tokens choose; null: infinite, a bias alone."""
    objective: FoldObjective = "least-squares"
    """least-squares: in closed form; cosine: 1 - cos(F T + b, x_out - x_in + F), per token, which is the paper's; stream-cosine: 1 - cos of the stream behind the gap. Both start from least squares."""
    descent: FoldDescent | None = None
    """How a cosine objective is lowered; null: by the defaults. Not for least squares."""


class GapError(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Squared error of the stream behind the gap, by the square of the update that was removed."""

    removed: tuple[UnitName, ...]
    """The units of the gap."""
    removed_error: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Without the repair."""
    repaired_error: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """With the repair."""
    removed_error_all: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """The same with the first tokens counted."""
    repaired_error_all: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """With the repair and the first tokens counted."""
    factor: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    """What scale multiplies the stream by; null for other methods."""
    ridge: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    """What ridge auto chose; null where it was not asked for."""
    held_out_error: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    """With that ridge, of the held-out tokens by the fit to the others."""
    descent: FoldDescentReport | None
    """How fold lowered a cosine objective; null where it was not asked to."""


class GateGroup(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Units that are chosen among."""

    units: Annotated[tuple[UnitName, ...], Meta(min_length=1)]
    """Each in one group, and no sublayer with its whole block."""
    costs: Annotated[tuple[Annotated[float, Meta(gt=0, le=1.7976931348623157e+308)], ...], Meta(min_length=1)]
    """What each of them costs; 1 each where units are counted."""
    amount: Annotated[float, Meta(gt=0, le=1.7976931348623157e+308)]
    """At least so much of their cost goes at every step, and no unit without need."""


class GateLora(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    rank: Annotated[int, Meta(ge=1, le=65536)] = 8
    """Rank of each change."""
    alpha: Annotated[float, Meta(gt=0, le=1000000)] | None = None
    """null: twice the rank."""
    targets: Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=1)] = ("feed-forward",)
    """attention, feed-forward, or names of linear modules in a block."""
    rate: Annotated[float, Meta(gt=0, le=100)] = 0.0002
    """Learning rate of the first step; a cosine to 0 follows."""
    orthogonality: Annotated[float, Meta(ge=0, le=1000000)] = 0.0
    """Weight, beside the loss, of how far the directions that a change reads are from right angles and one length (docs/search.md); 0: they are left alone."""


class GatesLearnParams(LearnGatesOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    corpus: CorpusHandle
    groups: Annotated[tuple[GateGroup, ...], Meta(min_length=1)]


class GatesLearnResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    logits: TensorRef
    """float64 (units): group after group. The lowest of each go, of equal ones the first."""
    removed: tuple[UnitName, ...]
    """Those that go, in order of depth."""
    losses: TensorRef
    """float64 (steps): of each step's batch under its draw, in nats."""
    loss: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Mean next-token loss of the corpus without those that go, in nats."""
    repairs: tuple[RepairHandle, ...]
    """What LoRA learned; none where it did not learn along."""
    report: RepairReport | None
    """Of it; null where it did not learn along."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Seconds it took."""


class Generation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    prompt: str
    """What was continued."""
    text: str
    """What was written after the prompt."""
    prompt_tokens: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Tokens of the prompt."""
    first_tokens: tuple[FirstToken, ...]
    """The first tokens, 16 at most, as the model gets them."""
    bos_in_text: bool
    """Whether the prompt itself begins with a BOS token; no second one is put in front of it."""
    token_ids: tuple[Annotated[int, Meta(ge=0, le=9007199254740991)], ...]
    """The ids written."""
    finish: FinishReason
    """Why it ended."""


class GenerationAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    place: str
    """File and line of the item."""
    text: str
    """What was written."""
    target: str
    """The right answer; of several the one that fits the text best, the first of equal ones."""
    number: str | None
    """The number found in the text, where numbers are compared."""
    correct: bool
    """Whether it counts as right; under rouge-l, whether it would by `exact`."""
    rouge_l: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    """The F-measure, where ROUGE-L is the score."""
    sample: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Which of its item's answers it is, from 0."""
    tokens: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Tokens written."""
    finish: FinishReason
    """Why it ended."""


class GenerationGenerateParams(GenerateOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: tuple[UnitName, ...]
    repairs: tuple[RepairHandle, ...]
    """In the order they were made."""
    policy: Policy | None = None
    """What it follows; null: all units run."""
    prompts: Annotated[tuple[str, ...], Meta(min_length=1)]
    stream: bool = False
    """Tell of text as it is written."""


class GenerationGenerateResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    generations: tuple[Generation, ...]
    """One for each prompt, in their order."""
    kv_bytes_per_token: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Bytes of KV cache that one token takes in this subnetwork."""
    skips: Skips | None
    """What the policy skipped; null without one."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Seconds it took."""


class GenerationLoadTaskParams(GenerationTaskOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    data: RowSource


class GenerationLoadTaskResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    task: GenerationTaskHandle
    info: GenerationTaskInfo


class GenerationPart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    prompt: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Which prompt it stands behind, from 0."""
    at: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Characters (code points) of the text that came before it."""
    text: str
    """What was written next."""


class GenerationSolveParams(SolveOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: tuple[UnitName, ...]
    repairs: tuple[RepairHandle, ...]
    """In the order they were made."""
    policy: Policy | None = None
    """What it follows; null: all units run."""
    task: GenerationTaskHandle
    known: ItemValues | None = None
    """Items known from before; where it is given, though empty, others are sent as they are finished."""


class GenerationSolveResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    accuracy: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Share of right answers; under rouge-l, of those that are the target. Of several samples: pass@1."""
    standard_error: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    """Over items; null for a single one."""
    correct: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Right answers."""
    items: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Items answered."""
    samples: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Answers to each item."""
    pass_at: tuple[PassAt, ...]
    """Each pass@k that was asked for."""
    rouge_l: RougeL | None
    """Where ROUGE-L is the score: of the best target of each item."""
    without_number: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Answers in which no number was found; wrong, all of them."""
    cut_short: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Answers that ended because maxNewTokens was reached."""
    tokens: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Written in all, ending tokens included."""
    bos_in_text: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Prompts that begin with a BOS token of their own; none has a second one."""
    first_tokens: tuple[FirstToken, ...]
    """The first tokens, 16 at most, as the model gets them."""
    task_digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """The task's digest."""
    score: GenerationScoreRule
    """How answers were compared with their targets."""
    max_new_tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Tokens an answer at most."""
    temperature: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """0: greedy."""
    top_p: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """The probability that sampled tokens held together."""
    seed: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Of the samples."""
    stop: tuple[str, ...]
    """Strings that ended an answer."""
    batch_size: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Items at a time."""
    per_item: tuple[GenerationAnswer, ...] | None
    """Where `items` asked for them, in the task's order, an item's samples one after the other."""
    skips: Skips | None
    """What the policy skipped; null without one."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Seconds it took."""


class GenerationTaskInfo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """sha256 over prompts and targets, whatever files they came in."""
    files: tuple[str, ...]
    """The files its rows were read from."""
    items: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Items to answer."""
    score: GenerationScoreRule
    """How an answer is compared with its target."""
    shots: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Worked examples in front of every item."""
    separator: str
    """What stands between examples, and ends an answer."""
    first_prompt: str
    """As the model gets it."""
    first_target: str
    """The first item's right answer, the first of several."""


class GenerationUnloadTaskParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    task: GenerationTaskHandle


class GroupScore(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    name: str
    """The group, such as a subject."""
    items: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Questions of the group."""
    acc: Annotated[float, Meta(ge=0, le=1)]
    """Share answered rightly, by log-likelihood."""
    acc_norm_chars: Annotated[float, Meta(ge=0, le=1)]
    """The same by log-likelihood a character."""
    acc_norm_bytes: Annotated[float, Meta(ge=0, le=1)]
    """The same by log-likelihood a byte."""


class HarnessMetric(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    name: str
    """acc, acc_norm, exact_match, ..."""
    filter: str
    """What was done to the answer first; none: nothing."""
    value: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """The metric's value."""
    standard_error: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    """Of the value; null where the harness gives none."""
    higher_is_better: bool | None
    """Whether more of it is better; null where the task does not say."""


class HarnessRunParams(HarnessOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: tuple[UnitName, ...]
    repairs: tuple[RepairHandle, ...]
    """In the order they were made."""


class HarnessRunResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    tasks: tuple[HarnessTask, ...]
    """One entry per task."""
    bos_in_text: bool
    """Whether texts among the requests begin with a BOS token of their own."""
    first_tokens: tuple[FirstToken, ...]
    """The first tokens, 16 at most, as the model gets them."""
    lm_eval_version: str
    """The version of lm-eval."""
    limit: Annotated[int, Meta(ge=1, le=9007199254740991)] | None
    """Items of each task at most; null: all."""
    chat_template: bool
    """Whether it asked in the model's chat template."""
    batch_size: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Items at a time."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Seconds it took."""


class HarnessTask(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    task: str
    """A task, or a group with what the harness makes of its tasks together."""
    version: str | None
    """The task's version in lm-eval; null for a group."""
    shots: Annotated[int, Meta(ge=0, le=9007199254740991)] | None
    """Examples in front of each item; null for a group."""
    items: Annotated[int, Meta(ge=0, le=9007199254740991)] | None
    """Items asked."""
    config_digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")] | None
    """sha256 of the task's settings, as the harness reports them."""
    metrics: tuple[HarnessMetric, ...]
    """Its scores."""


class HealedBlocks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    first: Annotated[int, Meta(ge=0, le=9007199254740991)] | None = None
    """By its number in the whole model; null: 0."""
    last: Annotated[int, Meta(ge=0, le=9007199254740991)] | None = None
    """null: the last there is."""


class HubPushParams(HubPushOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    path: Annotated[str, Meta(min_length=1)]
    """An exported folder, or a GGUF file that depthkit wrote."""
    repo: Annotated[str, Meta(pattern="^[\\w.-]+\\/[\\w.-]+$(?!\\n)")]
    """The repository, as OWNER/NAME."""


class HubPushResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    repo: str
    """OWNER/NAME, as the hub has it."""
    revision: str
    """The branch."""
    url: str
    """The branch's page."""
    commit: str
    """The commit's number."""
    created: bool
    """Whether the repository was made for it."""
    files: tuple[ExportedFile, ...]
    """What the commit holds, by the names it has there."""
    bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Of all files."""
    deleted: tuple[str, ...]
    """Files of the branch that are gone in the commit."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Seconds it took."""


class InfluenceGradientParams(InfluenceGradientOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: tuple[UnitName, ...]
    corpus: CorpusHandle


class InfluenceGradientResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    kinds: tuple[UnitKind, ...]
    """The first axis of values."""
    metrics: tuple[GradientMetric, ...]
    """The second axis of values."""
    values: TensorRef
    """float64 (kinds, metrics, depth), of the mean next-token loss."""
    standard_errors: TensorRef
    """float64, as values: of gate over sequences; NaN for taylor, and with one sequence."""
    weights: TensorRef
    """float64 (kinds, depth): numbers that taylor sums over."""
    loss: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Mean next-token loss, in nats."""
    sequences: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Sequences with a token to predict."""
    tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Tokens predicted."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Seconds it took."""


class InfluenceMeasureParams(InfluenceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: tuple[UnitName, ...]
    repairs: tuple[RepairHandle, ...]
    """In the order they were made."""
    corpus: CorpusHandle


class InfluenceMeasureResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    kinds: tuple[UnitKind, ...]
    """The first axis of values."""
    metrics: tuple[InfluenceMetric, ...]
    """The second axis of values."""
    values: TensorRef
    """float64 (kinds, metrics, depth): mean over the tokens counted."""
    standard_errors: TensorRef
    """float64, as values: of the mean over sequences; NaN with one sequence."""
    angular: TensorRef
    """float64 (depth, depth): [n - 1, l] for the span of n blocks from l; 0 beyond."""
    cosines: TensorRef | None
    """float64 (depth + 1, depth + 1): between two boundaries; null where not asked for."""
    angular_tokens: AngularTokens
    skip_first_tokens: Annotated[int, Meta(ge=0, le=9007199254740991)]
    sequences: Annotated[int, Meta(ge=1, le=9007199254740991)]
    tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Tokens counted."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]


class InfluenceStreamParams(StreamOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: tuple[UnitName, ...]
    repairs: tuple[RepairHandle, ...]
    """In the order they were made."""
    corpus: CorpusHandle


class InfluenceStreamResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    measures: tuple[StreamMeasure, ...]
    """The first axis of values."""
    values: TensorRef
    """float64 (measures, depth + 1): in front of each block, and behind the last one; means over sequences."""
    standard_errors: TensorRef
    """float64, as values: over sequences; NaN with one sequence."""
    coding_rate_bound: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """The largest coding rate there can be, mean over sequences, in nats."""
    sequences: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Sequences with a token that counts."""
    tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Tokens counted."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Seconds it took."""


class ItemValues(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    items: TensorRef
    """uint32 (items): their places among all, from 0."""
    ends: TensorRef
    """uint32 (items): values up to and with each item."""
    values: TensorRef
    """float64 (values), item after item; what they are is the method's to say."""


class KindCosts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    kind: UnitKind
    parameters: tuple[Annotated[int, Meta(ge=0, le=9007199254740991)], ...]
    """Of each unit by depth, those that others share left out."""
    stored_bytes: tuple[Annotated[int, Meta(ge=0, le=9007199254740991)], ...]
    """The same in the checkpoint's dtype, or as quantised there."""
    kv_bytes_per_token: tuple[Annotated[int, Meta(ge=0, le=9007199254740991)], ...]
    """What its attention keeps for a token, in the loaded dtype."""


class LastWordItems(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    log_likelihoods: TensorRef
    """float64 (items): of the target, in nats."""
    right: TensorRef
    """uint8 (items): 1 where every token of the target is the likeliest."""


class LastWordResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    acc: Annotated[float, Meta(ge=0, le=1)]
    """Share of items whose every target token is the likeliest."""
    standard_error: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    """Of the accuracy, over items; null with one item."""
    perplexity: FiniteOrInfinity
    """exp of the mean negative log-likelihood of a target."""
    loss: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Mean cross entropy of the target tokens, in nats."""
    tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Target tokens."""
    items: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Items asked."""
    task_digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """The task's digest."""
    per_item: LastWordItems | None
    skips: Skips | None
    """What the policy skipped; null without one."""
    batch_size: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Items in the largest batch; 0 where all were known."""
    notes: tuple[str, ...]
    """What did not go as planned, such as batches halved for memory."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Seconds it took."""


class LoraOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="method", tag="lora"):
    rank: Annotated[int, Meta(ge=1, le=65536)] = 8
    """Rank of each change."""
    alpha: Annotated[float, Meta(gt=0, le=1000000)] | None = None
    """null: twice the rank."""
    dropout: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """Of what an adapter reads, while it is trained."""
    targets: Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=1)] = ("feed-forward",)
    """attention, feed-forward, or names of linear modules in a block."""
    blocks: HealedBlocks = field(default_factory=lambda: HealedBlocks())
    """First and last block that is healed."""
    experts: MaskedExperts | None = None
    """Masked rank-1 experts; null: plain LoRA."""
    training: TrainingOptions = field(default_factory=lambda: TrainingOptions())


class LowRankOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="method", tag="low-rank"):
    rank: Annotated[int, Meta(ge=1, le=65536)] = 32
    """Rank of the map."""
    input: AdapterInput = "normed"
    """normed exports exactly; raw reads the stream as it is."""
    reference: RepairReference = "dense"
    """Measure in the whole model, or in the one pruned and repaired below each gap."""
    constant: bool = True
    """Whether there is a b."""
    ridge: Annotated[float, Meta(ge=0, le=1.7976931348623157e+308)] | Literal["auto"] = 0.01
    """In units of the input's mean square; auto: the one that held-out tokens choose."""
    training: TrainingOptions | None = None
    """null: ridge regression of reduced rank in closed form, which is otherwise where training starts."""


class MaskedExperts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    probability: Annotated[float, Meta(ge=0, le=1)]
    """That a rank-1 expert is left out of a forward pass."""


class ModelInfo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    source: str
    """What it was loaded from, as it was asked for."""
    revision: str | None
    """A hub id's commit; null for anything else."""
    model_type: str
    """The configuration's model_type."""
    weights_digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """sha256 over the weight files."""
    depth: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Number of blocks."""
    hidden_size: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Width of the residual stream."""
    vocabulary_size: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Tokens in the vocabulary."""
    context_length: Annotated[int, Meta(ge=1, le=9007199254740991)] | None
    """Longest sequence the model was made for, in tokens."""
    parameters: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Number of parameters, tied ones once; of packed ones what they stand for."""
    parallel: bool
    """Whether attention and feed-forward read the same input."""
    pattern: ModelPattern | None
    """The order of two kinds of blocks that some software expects; null where all blocks are of one kind."""
    dtype: str
    """The dtype it is loaded in; of a quantised one that of what is not quantised."""
    quantisation: Quantisation | None = None
    """How its weights are quantised; null: they are not."""
    device: str
    """The device it is on; over several, each with its blocks: cuda:0=20,cuda:1=12."""
    attention: str
    """The attention implementation."""
    absent: tuple[UnitName, ...] = ()
    """Sublayers that the checkpoint was made without, in depthkit's own layout; elsewhere none."""
    notes: tuple[str, ...]
    """What lies in the checkpoint and was not loaded, or not as it says."""
    load_seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Seconds that loading took."""


class ModelLoadParams(ModelOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    source: Annotated[str, Meta(min_length=1)]
    """A bundled name, a folder, a .gguf file or a hub id."""


class ModelLoadResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    info: ModelInfo
    digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """sha256 over weights, configuration, tokenizer, dtype and attention."""
    screening: Screening | None
    """What the precision `screen` multiplies in; float32 where the device has no fast instructions for bfloat16; null where the model is not loaded in float32, and nothing is to be gained."""
    actors: Annotated[int, Meta(ge=0, le=9007199254740991)] | None
    """Of the worker's cluster that hold it, or are about to; null: it drives none."""


class ModelPattern(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    kinds: tuple[str, ...]
    """One entry per block: sliding or full, rope or no-rope."""
    period: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Every block whose number from 1 is a multiple of it is of the kind `last`."""
    last: str
    """The kind of the last block of each period."""
    software: tuple[str, ...]
    """What takes a block's kind from its number alone."""


class ModelProfile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    mode: ProfiledMode
    """How it was measured."""
    blocks: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Blocks of which anything runs."""
    parameters: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Tied ones once; masked holds those of removed units too."""
    stored_bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """In the checkpoint's dtype, or as quantised: weight files without headers."""
    kv_bytes_per_token: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Counted on a filled cache."""
    weight_bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Parameters and buffers in the loaded dtype."""
    working_bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """The most held beside the weights, KV cache included."""
    peak_bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Weights and working memory together."""
    prefill: Speed
    """How fast a prompt is read."""
    decode: tuple[Speed, ...]
    """One entry per batch size."""


class ModelTokenizerParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle


class ModelUnloadParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle


class Objective(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Weights of the sum that training lowers."""

    kl: Annotated[float, Meta(ge=0, le=1.7976931348623157e+308)] = 0.0
    """KL from the dense model's logits, stored as its top ones."""
    loss: Annotated[float, Meta(ge=0, le=1.7976931348623157e+308)] = 0.0
    """Next-token cross entropy."""
    hidden: Annotated[float, Meta(ge=0, le=1.7976931348623157e+308)] = 0.0
    """Squared error of the stream behind each gap, by the stream's own square."""


class OnnxGraph(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    dtype: OnnxDtype
    file: str
    """From the folder."""
    bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Of the graph, with the weights that lie beside it."""
    mean_difference: Annotated[float, Meta(ge=0, le=1.7976931348623157e+308)]
    """As largestDifference; the mean."""
    rounding_difference: Annotated[float, Meta(ge=0, le=1.7976931348623157e+308)] | None
    """int8 and q4: how far its log-probabilities are at most from those of the fp32 graph with the same rounded weights; null for the others."""
    largest_difference: Annotated[float, Meta(ge=0, le=1.7976931348623157e+308)]
    """Of log-probabilities: those of the reference's likeliest tokens, at every place of every prompt."""
    agreement: Annotated[float, Meta(ge=0, le=1)]
    """How many of the likeliest next tokens are the reference's."""
    written: Annotated[float, Meta(ge=0, le=1)]
    """How many of the tokens written after the prompts are the reference's, up to the first other one."""
    cached: Annotated[float, Meta(ge=0, le=1)]
    """How many of them it writes without a cache too. Near ties count as the same: in llama.cpp those no further apart than twice largestDifference."""
    left_padded: Annotated[float, Meta(ge=0, le=1)] | None = None
    """How many of the likeliest next tokens are the reference's where all its prompts are one batch, padded on the left; null where the software has no such batches."""
    kv_bytes_per_token: Annotated[int, Meta(ge=0, le=9007199254740991)] | None
    """Of its cache, as it holds it; null where it does not say."""


class OwnRows(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind", tag="rows"):
    rows: Annotated[tuple[Annotated[str, Meta(min_length=2)], ...], Meta(min_length=1)]
    """JSON objects, as text."""


class PackageVersion(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    name: str
    """The package, as Python's index calls it."""
    version: str
    """What is installed."""


class PartialOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="method", tag="partial"):
    tuned: TunedBlocks = "last"
    """The last blocks that stay, or those next to each gap and in it."""
    count: Annotated[int, Meta(ge=1, le=65536)] = 3
    """How many blocks: of the last, or on each side of a gap."""
    head: bool = True
    """Whether the output head is tuned too; a tied one is untied."""
    training: TrainingOptions = field(default_factory=lambda: TrainingOptions())


class PassAt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    k: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Answers that are looked at."""
    value: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """How likely one of k answers is right: 1 - C(n - c, k) / C(n, k) where c of n are, averaged over items."""
    standard_error: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    """Over items; null for a single one."""


class PatchOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="method", tag="patch"):
    training: TrainingOptions | None = None
    """null: untrained."""


class PerplexityItems(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    losses: TensorRef
    """float64 (chunks): summed over the tokens scored, in nats."""
    tokens: TensorRef
    """uint32 (chunks): tokens scored."""


class PerplexityResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    perplexity: FiniteOrInfinity
    """exp of the loss; Infinity above the largest number there is."""
    loss: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Mean cross entropy, in nats, of the tokens scored."""
    mean_of_sequences: FiniteOrInfinity
    """Mean over chunks of exp(loss of the chunk)."""
    word_perplexity: FiniteOrInfinity | None
    """Null where the words scored cannot be told."""
    bits_per_byte: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    """Null where the bytes scored cannot be told."""
    data: DataInfo
    """What was read."""
    rows: RowMode
    """How the text became rows."""
    separator: str
    """What stands between two texts."""
    chunk: Annotated[int, Meta(ge=2, le=9007199254740991)]
    """Tokens per chunk."""
    stride: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Tokens from one chunk's start to the next."""
    chunks: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Chunks scored."""
    bos: BosPolicy
    """The policy asked for."""
    bos_added: bool
    """Whether each chunk starts with a BOS token."""
    bos_in_text: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Chunks whose text begins with a BOS token of its own; no second one is put in front of it."""
    first_tokens: tuple[FirstToken, ...]
    """The first tokens, 16 at most, as the model gets them."""
    tokens_total: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Tokens in the text as a whole."""
    tokens_scored: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Tokens that the loss is a mean over."""
    tokens_dropped: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Tokens behind the last whole chunk, or beyond maxChunks."""
    per_item: PerplexityItems | None
    skips: Skips | None
    """What the policy skipped; null without one."""
    batch_size: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Chunks at a time."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Seconds it took."""


class PoliciesMeasureParams(PolicyMeasureOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: tuple[UnitName, ...]
    repairs: tuple[RepairHandle, ...]
    """In the order they were made."""
    policy: Policy
    corpus: CorpusHandle


class PoliciesMeasureResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    values: tuple[Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)], ...]
    """Of each measure that was asked for, a mean over positions."""
    counts: tuple[Annotated[int, Meta(ge=1, le=9007199254740991)], ...]
    """How many positions these are."""
    skips: Skips
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Seconds it took."""


class ProfilingProfileParams(ProfileOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: tuple[UnitName, ...]
    repairs: tuple[RepairHandle, ...]
    """In the order they were made."""
    policy: Policy | None = None
    """What it follows; null: all units run."""


class ProfilingProfileResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    models: Annotated[tuple[ModelProfile, ...], Meta(min_length=2)]
    """The dense model, then one for each mode."""
    device: str
    """The device it was measured on."""
    dtype: str
    """The dtype the model is loaded in."""
    stored_dtype: str
    """The dtype the checkpoint is stored in."""
    attention: str
    """The attention implementation."""
    threads: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Threads PyTorch used."""
    memory_counted_by: MemoryCountedBy
    """allocator: the device's own; tensors: those alive, without kernels' scratch space."""
    prompt_tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Tokens of the prompt whose reading was timed."""
    context_tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Tokens before the first one written."""
    new_tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Tokens written by each timed run."""
    rounds: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Times every model was timed."""
    warmup_rounds: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Rounds before these, not counted."""
    seed: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Of the random prompts."""
    skips: Skips | None
    """What the policy skipped; null without one."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Seconds it took."""


class ProfilingUnitCostsParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle


class ProfilingUnitCostsResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    kinds: tuple[KindCosts, ...]
    parameters: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Of the whole model, embedding and head included; tied ones once."""
    stored_bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]
    kv_bytes_per_token: Annotated[int, Meta(ge=0, le=9007199254740991)]


class Progress(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    phase: str
    """What is being done."""
    done: Annotated[int, Meta(ge=0, le=9007199254740991)]
    total: Annotated[int, Meta(ge=0, le=9007199254740991)] | None
    """Null where it is not known beforehand."""
    unit: str
    """What is counted, such as tokens or bytes; empty for plain steps."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Since the call began."""


class PromptFeatures(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    features: TensorRef
    """float64 (prompts, hidden): the mean over a prompt's tokens of the stream, each token's at length 1."""


class PromptSkipping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind", tag="prompt-skipping"):
    """Blocks that leave the stream of a prompt's tokens as it is, but for the last one, and keep keys and values of it; what is written has all of them (arXiv 2602.03295)."""

    start: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """The first block it is about: those before it always run (the cold start)."""
    end: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """The first block behind these: from here on all run again (the cold end)."""


class Quantisation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    method: Literal["bitsandbytes", "compressed-tensors", "fp8"]
    """As config.json names it."""
    bits: tuple[Annotated[int, Meta(ge=1, le=9007199254740991)], ...]
    """Of the quantised weights, ascending; several where groups differ."""
    scheme: str
    """Within the method: nf4, int8, pack-quantized."""
    packed: bool
    """Whether weights lie in memory as in the files; otherwise they were made plain at loading."""
    library: str | None
    """What it is run by beside transformers, with its release; null: nothing."""


class RandomSkipping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind", tag="random-skipping"):
    """The control that looks at nothing: feed-forwards drawn by lot."""

    start: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """The first block it is about: those before it always run (the cold start)."""
    end: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """The first block behind these: from here on all run again (the cold end)."""
    share: Annotated[float, Meta(ge=0, le=1)]
    """How likely each of these feed-forwards is skipped, for every token anew."""
    seed: Annotated[int, Meta(ge=0, le=9007199254740991)] = 0
    """What is drawn depends on it, the block and the token's place alone."""
    warm_up: Annotated[int, Meta(ge=0, le=9007199254740991)] = 25
    """Tokens at a text's beginning for which everything runs."""


class Rate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    micro: Annotated[float, Meta(ge=0, le=1)]
    """Share of items answered rightly, every item alike."""
    macro: Annotated[float, Meta(ge=0, le=1)] | None
    """Mean of the groups' shares; null where there are no groups."""
    standard_error: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    """Of micro, over items; null with one item."""


class RepairFitParams(RepairFitOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: tuple[UnitName, ...]
    repairs: tuple[RepairHandle, ...]
    """In the order they were made."""
    corpus: CorpusHandle
    repair: RepairMethod
    apart: tuple[Annotated[tuple[UnitName, ...], Meta(min_length=1)], ...] = ()
    """Gaps to fit each by itself in the whole model, in one pass, in place of the subnetwork's own."""


class RepairFitResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    repairs: tuple[RepairHandle, ...]
    """Of the report's repairs, in their order."""
    report: RepairReport


class RepairInfo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    method: str
    """The method that made it."""
    removed: tuple[UnitName, ...]
    """The units it makes up for."""
    parameters: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Numbers it adds to the model in memory; 0 where it changes weights only."""
    digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """sha256 of what it holds."""
    base: tuple[Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")], ...]
    """Digests of the repairs it was made on top of."""


class RepairLoadParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    folder: Annotated[str, Meta(min_length=1)]


class RepairLoadResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    removed: tuple[UnitName, ...]
    """All units that the saved subnetwork is without."""
    repairs: tuple[RepairHandle, ...]
    infos: tuple[RepairInfo, ...]
    """Of the repairs, in their order."""


class RepairReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    repairs: tuple[RepairInfo, ...]
    """One per gap, from the bottom up, or one for the model as a whole."""
    gaps: tuple[GapError, ...]
    """Where the method fits the stream behind each gap."""
    training: TrainingReport | None
    """How it was trained; null where it was not."""
    sequences: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Sequences measured on."""
    tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Tokens measured on."""
    skip_tokens: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Tokens at each sequence's start that were left out."""
    weights_unchanged: bool
    """The dense weights are bit for bit what they were, by checksum."""
    peak_bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Highest memory of the process, or of its GPUs together, during the call."""
    notes: tuple[str, ...]
    """What did not go as planned."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Seconds it took."""


class RepairSaveParams(RepairSaveOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    removed: tuple[UnitName, ...]
    repairs: tuple[RepairHandle, ...]
    """In the order they were made."""
    folder: Annotated[str, Meta(min_length=1)]
    """The folder to write."""


class RepairSaveResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    folder: str
    bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]


class RepairUnloadParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    repairs: tuple[RepairHandle, ...]


class ReplacementBlockOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="method", tag="replacement-block"):
    kind: ReplacementKind = "block"
    """block: the run's first; feed-forward, swiglu: a network of that kind without a residual, from a random start by the training's seed."""
    width: Annotated[int, Meta(ge=1, le=65536)] | None = None
    """Of a network; null: 4 times the hidden size, for swiglu 8/3 of it. A block has its own."""
    training: TrainingOptions | None = None
    """null: the run's first block as it is; a network is always trained."""


class RougeL(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    f_measure: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """2 P R / (P + R), averaged over items: what rouge-score calls fmeasure."""
    precision: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Words in common over words written, averaged over items."""
    recall: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Words in common over words of the target, averaged over items."""
    standard_error: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    """Of fMeasure, over items; null for a single one."""


class RoutingPromptsParams(PromptOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    prompts: Annotated[tuple[str, ...], Meta(min_length=1)]
    chat: bool
    """Wrap each prompt as a user's turn in the model's chat template."""
    batch_size: Annotated[int, Meta(ge=1, le=65536)] = 8
    """Prompts at a time; beyond rounding the values do not depend on it."""


class RoutingReadParams(PromptOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    data: DataHandle
    """A corpus, or a task, whose items' prompts are read without their choices."""
    batch_size: Annotated[int, Meta(ge=1, le=65536)] = 8
    """Prompts at a time; beyond rounding the values do not depend on it."""


class RowFiles(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind", tag="files"):
    files: Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=1)]
    """Paths of files of rows: .jsonl, .jsonl.gz, .json, .json.gz, .csv, .tsv, .parquet. Or names on the Hugging Face hub, such as hf://datasets/OWNER/NAME/PATH."""


class ScaleOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="method", tag="scale"):
    reference: RepairReference = "dense"
    """Measure in the whole model, or in the one pruned and repaired below each gap."""
    ratio: ScaleRatio = "median"
    """The stream behind the gap by that in front: of their mean norms, the median over tokens of the ratios of norms, or the factor of least squares."""


class ScoredPositions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    every: Annotated[int, Meta(ge=1, le=9007199254740991)] = 1
    """The k-th, 2k-th, ... position of each sequence; 1: all."""
    last: Annotated[int, Meta(ge=1, le=9007199254740991)] | None = None
    """Only the last k positions; null: all."""


class Skips(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    share: Annotated[float, Meta(ge=0, le=1)] | None
    """Of all feed-forwards of all tokens; null where no token was run."""
    share_of_candidates: Annotated[float, Meta(ge=0, le=1)] | None
    """Of those that the policy is about, past the warm-up; null where there were none."""
    by_block: tuple[Annotated[float, Meta(ge=0, le=1)], ...]
    """Of each block's tokens."""
    by_position: tuple[Annotated[float, Meta(ge=0, le=1)], ...]
    """Of the feed-forwards of the tokens at each place of a text, from 0."""
    tokens: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Tokens that were run in this call, fillers left out; an item that was known before has none."""


class Speed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    batch_size: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Texts at a time."""
    tokens_per_second: Spread
    """Over all texts of the batch."""
    against_dense: Spread
    """The same divided by the dense model's in the same round."""


class Spread(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    median: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Half of the samples are below it."""
    lower_quartile: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """A quarter of the samples are below it."""
    upper_quartile: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Three quarters of the samples are below it."""
    min: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """The least sample."""
    max: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """The greatest sample."""
    samples: tuple[Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)], ...]
    """In the order they were taken."""


class SubnetworksEvaluateParams(EngineOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    data: DataHandle
    """A corpus, or a task."""
    players: Annotated[tuple[Annotated[tuple[UnitName, ...], Meta(min_length=1)], ...], Meta(min_length=1)]
    """The columns of kept: units that stay or go together."""
    kept: TensorRef
    """uint8 (subnetworks, ceil(players / 8)): bit p % 8 of byte p // 8, lowest first, is set where player p stays."""
    repairs: tuple[RepairHandle, ...]
    """In the order they were made."""
    repaired: TensorRef | None
    """uint8 (subnetworks, ceil(repairs / 8)), as kept: set where a repair is in place; null: wherever its units are removed."""
    measures: Annotated[tuple[Measure, ...], Meta(min_length=1)]
    by_sequence: bool
    """Also give what every sequence of a corpus, or item of a task, has alone."""
    screening: Screening | None
    """What the caller takes `screen` to multiply in: a worker on another device may differ."""


class SubnetworksEvaluatePart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    rows: TensorRef
    """uint32 (k): the subnetworks that are finished."""
    values: TensorRef
    """float64 (k, measures)."""
    counts: tuple[Annotated[int, Meta(ge=0, le=9007199254740991)], ...]
    """Positions or items each measure is a mean over."""
    by_sequence: TensorRef | None
    """float64 (sequences or items, measures), of each of these rows alike; NaN where nothing of a sequence is scored; null where it was not asked for."""


class SubnetworksEvaluateResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    values: TensorRef
    """float64 (subnetworks, measures); NaN or infinite where a row is notFinite."""
    measures: tuple[Measure, ...]
    counts: tuple[Annotated[int, Meta(ge=0, le=9007199254740991)], ...]
    """Positions or items each measure is a mean over."""
    distinct: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Subnetworks computed; the others equal one of them."""
    not_finite: tuple[Annotated[int, Meta(ge=0, le=9007199254740991)], ...]
    block_evaluations: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Blocks run on a batch, a sublayer counting as its share."""
    batch_size: Annotated[int, Meta(ge=1, le=9007199254740991)]
    split: WorkSplit | None
    """On a cluster; null: on the worker's own device."""
    notes: tuple[str, ...]
    """What did not go as planned, such as batches halved for memory."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]


class SubnetworksSplitParams(EngineOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    data: DataHandle
    """A corpus, or a task."""
    players: Annotated[tuple[Annotated[tuple[UnitName, ...], Meta(min_length=1)], ...], Meta(min_length=1)]
    """The columns of kept, as in subnetworks.evaluate."""
    kept: TensorRef
    """As in subnetworks.evaluate."""
    measures: Annotated[tuple[Measure, ...], Meta(min_length=1)]


class SubnetworksSplitResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    split: WorkSplit | None
    """Null without a cluster."""


class TaskInfo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    kind: TaskKind
    """Which continuation of several, or which last word."""
    format: str
    """A task format, or template."""
    digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """sha256 over token ids, answers and groups: what a score depends on besides the model."""
    files: tuple[str, ...]
    """The files its rows were read from."""
    file_digests: tuple[Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")], ...]
    """sha256 of each file's bytes."""
    items: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Questions to ask."""
    rows: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Rows in the file, those beyond the limit included."""
    groups: tuple[str, ...]
    """Such as subjects; empty where the format has none."""
    shots: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Examples in front of each question."""
    limit: Annotated[int, Meta(ge=1, le=9007199254740991)] | None
    """Rows to ask at most; null: all."""
    chat_template: bool
    """Whether questions are asked in the model's chat template."""
    bos: BosPolicy
    """The policy asked for."""
    bos_added: bool
    """Whether each prompt starts with a BOS token."""
    bos_in_text: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Items whose text begins with a BOS token of its own; no second one is put in front of it."""
    first_tokens: tuple[FirstToken, ...]
    """The first tokens, 16 at most, as the model gets them."""
    tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Tokens the model reads, prompts that choices share counted once."""
    longest: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Tokens of the longest prompt with a choice."""
    single_token: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Items whose choices are one token each, all different."""
    items_with_shots_dropped: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Items too long for the model that lost whole examples."""
    shots_dropped: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Examples left out of such items, in all."""
    items_cut: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Items too long even without examples, cut from the left."""
    tokens_cut: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Tokens cut from such items, in all."""


class TaskLoadParams(TaskOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    model: ModelHandle
    data: RowSource


class TaskLoadResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    task: TaskHandle
    info: TaskInfo


class TaskTemplate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    prompt: str
    """With the row's fields in braces: {question}, {choices[0]}; {{ and }} are braces."""
    choices: Annotated[str, Meta(min_length=1)] | Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=2)]
    """The field that holds the choices, or the same choices for every row."""
    answer: Annotated[str, Meta(min_length=1)]
    """The field with the right choice: its index from 0, or its text."""
    group: Annotated[str, Meta(min_length=1)] | None = None
    """The field that macro averages are taken over; examples then come from the same group."""
    description: str = ""
    """In front of every prompt; may name fields."""
    delimiter: str = " "
    """Between prompt and choice."""
    separator: str = "\n\n"
    """Behind each example."""


class TaskUnloadParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    task: TaskHandle


class TensorRef(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    tensor: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Index of the frame, from 0, among this message's tensors."""


class TextSource(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind", tag="texts"):
    texts: Annotated[tuple[str, ...], Meta(min_length=1)]


class TokenizerInfo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """sha256 over all that turns text into ids."""


class TrainingOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    objective: Objective = field(default_factory=lambda: Objective(kl=1.0))
    teacher_top: Annotated[int, Meta(ge=1, le=9007199254740991)] = 100
    """Of the dense model's logits at a position, how many are kept for kl."""
    written_only: bool = False
    """On a corpus that a model wrote: kl and loss are of the written tokens alone."""
    steps: Annotated[int, Meta(ge=1, le=9007199254740991)] = 200
    """Optimiser steps."""
    batch_size: Annotated[int, Meta(ge=1, le=65536)] = 4
    """Sequences a forward pass."""
    accumulation: Annotated[int, Meta(ge=1, le=65536)] = 1
    """Forward passes a step."""
    learning_rate: Annotated[float, Meta(gt=0, le=100)] | None = None
    """The highest, reached after the warm-up; null: 1e-3, for lora, partial and a replacement block 2e-4."""
    warmup: Annotated[int, Meta(ge=0, le=9007199254740991)] | None = None
    """Steps of linear warm-up; a cosine to 0 follows. null: a tenth of the steps."""
    clip: Annotated[float, Meta(gt=0, le=1.7976931348623157e+308)] | None = 1.0
    """Largest norm of the gradient; null: not clipped."""
    weight_decay: Annotated[float, Meta(ge=0, le=100)] = 0.0
    """Of all that is trained."""
    activation_checkpointing: bool = False
    """Compute activations again in the backward pass: less memory, a third more time."""
    validation: Annotated[int, Meta(ge=0, le=9007199254740991)] | None = None
    """Sequences held out from the corpus's end, the best state on them is kept; 0: none, the last state is kept; null: an eighth of the corpus."""
    validate_every: Annotated[int, Meta(ge=1, le=9007199254740991)] | None = None
    """Steps from one validation to the next; null: a tenth of the steps."""
    patience: Annotated[int, Meta(ge=1, le=9007199254740991)] | None = None
    """Validations without improvement before it stops; null: never."""
    folder: Annotated[str, Meta(min_length=1)] | None = None
    """For checkpoints: an interrupted training goes on from them; null: none are kept."""
    save_every: Annotated[int, Meta(ge=1, le=9007199254740991)] = 50
    """Steps from one checkpoint to the next."""
    seed: Annotated[int, Meta(ge=0, le=9007199254740991)] = 0
    """For the order of the sequences, and dropout."""


class TrainingPoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    step: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Optimiser steps taken so far."""
    objective: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    """Of this step's batch; null for the state before the first step."""
    validation: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    """On the held-out sequences, where they were scored after this step."""
    learning_rate: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Of this step."""
    gradient_norm: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    """Before clipping; null before the first step."""
    tokens_per_second: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Since training began."""
    seconds_left: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | None
    """Until the last step, by the speed so far; null before the first step."""


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
    """steps: all were taken; patience: validation no longer improved."""
    resumed_from: Annotated[int, Meta(ge=0, le=9007199254740991)] | None
    """The step of the checkpoint it went on from."""
    skipped_checkpoints: tuple[str, ...]
    """Checkpoints that were incomplete or damaged."""
    change: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Norm of the change of all trained parameters."""
    points: tuple[TrainingPoint, ...]
    """How it went, step by step."""


class WorkSplit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    actors: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Those that held the model, or were about to."""
    pieces: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Some of the subnetworks on some of the sequences each."""
    sharing_lost: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Blocks run more than on one device, by those run there: 0.1 is a tenth."""
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Expected, by the pace that was measured, until the last actor is done."""
    alone_seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Expected of one device of that pace."""


class WorkerCheckTargetParams(TargetOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    target: Annotated[str, Meta(min_length=1)]


class WorkerPingParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    value: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    integer: Annotated[int, Meta(ge=0, le=9007199254740991)]
    text: str
    tensors: tuple[TensorRef, ...]
    """Sent back as they came."""


class WorkerPingResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    value: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    integer: Annotated[int, Meta(ge=0, le=9007199254740991)]
    text: str
    tensors: tuple[TensorRef, ...]


class WorkerSleepParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]


class WorkerSleepResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]


class WorkerStatusResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    pid: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """The worker's process."""
    uptime_seconds: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """Seconds since it started."""
    ready: bool
    """Whether torch and transformers are imported."""
    running: str | None
    """The method the compute thread is at."""
    reading: str | None
    """The method that runs beside it: reading and tokenising."""
    queued: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Calls that wait for one of these two."""
    away: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Calls whose work one actor of a cluster does by itself."""
    models: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Held, as the next three are."""
    corpora: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Corpora held."""
    tasks: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Of both kinds."""
    repairs: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Repairs held."""
    resident_bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Memory of the process now."""
    peak_resident_bytes: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """The most it ever took."""


class WrittenInfo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    weights: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """Of the model that wrote."""
    prompts: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """Of the tokens of the corpus whose sequences' beginnings were the prompts."""
    prompt_tokens: Annotated[int, Meta(ge=1, le=9007199254740991)] | None
    """First tokens of a sequence that were its prompt; null: all."""
    new_tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Tokens behind a prompt at most."""
    temperature: Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)]
    """0: the likeliest token each time."""
    seed: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Of sampling."""
    tokens: Annotated[int, Meta(ge=1, le=9007199254740991)]
    """Tokens written."""
    ended: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """Sequences that the model ended itself."""


AdapterInput: TypeAlias = Literal["normed", "raw"]
AngularTokens: TypeAlias = Literal["last", "all"]
AttentionChoice: TypeAlias = Literal["auto", "eager", "sdpa", "flash_attention_2"]
BosPolicy: TypeAlias = Literal["auto", "always", "never"]
CorpusHandle: TypeAlias = Annotated[str, Meta(pattern="^corpus-[0-9a-f]{8}-[0-9]+$(?!\\n)")]
DataHandle: TypeAlias = Annotated[str, Meta(pattern="^(corpus|task)-[0-9a-f]{8}-[0-9]+$(?!\\n)")]
DataSource: TypeAlias = FileSource | TextSource
DtypeChoice: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]
ExportFormat: TypeAlias = Literal["huggingface", "gguf", "onnx"]
FinishReason: TypeAlias = Literal["length", "end-of-text", "stop"]
FiniteOrInfinity: TypeAlias = Annotated[float, Meta(ge=-1.7976931348623157e+308, le=1.7976931348623157e+308)] | Literal["Infinity"]
FoldObjective: TypeAlias = Literal["least-squares", "cosine", "stream-cosine"]
GenerationScoreRule: TypeAlias = Literal["exact", "number", "rouge-l"]
GenerationTaskHandle: TypeAlias = Annotated[str, Meta(pattern="^generation-task-[0-9a-f]{8}-[0-9]+$(?!\\n)")]
GgufDtype: TypeAlias = Literal["auto", "float32", "float16", "bfloat16", "q8_0"]
GradientMetric: TypeAlias = Literal["taylor", "gate"]
InfluenceMetric: TypeAlias = Literal["cosine", "l1", "l2", "relative-l1", "relative-l2"]
Measure: TypeAlias = Literal["loss", "kl", "logit-distance", "accuracy", "choice-loss"]
MemoryCountedBy: TypeAlias = Literal["allocator", "tensors"]
ModelHandle: TypeAlias = Annotated[str, Meta(pattern="^model-[0-9a-f]{8}-[0-9]+$(?!\\n)")]
OnnxDtype: TypeAlias = Literal["fp32", "fp16", "int8", "q4"]
Packing: TypeAlias = Literal["pack", "none"]
Policy: TypeAlias = FeedForwardSkipping | FixedSkipping | RandomSkipping | PromptSkipping
Precision: TypeAlias = Literal["exact", "screen"]
ProfileMode: TypeAlias = Literal["masked", "physical"]
ProfiledMode: TypeAlias = Literal["dense", "masked", "physical"]
RepairHandle: TypeAlias = Annotated[str, Meta(pattern="^repair-[0-9a-f]{8}-[0-9]+$(?!\\n)")]
RepairMethod: TypeAlias = EmulatedUpdateOptions | BiasOptions | LowRankOptions | FoldOptions | PatchOptions | ScaleOptions | ReplacementBlockOptions | LoraOptions | PartialOptions
RepairReference: TypeAlias = Literal["dense", "pruned"]
ReplacementKind: TypeAlias = Literal["block", "feed-forward", "swiglu"]
RowMode: TypeAlias = Literal["raw", "wikitext"]
RowSource: TypeAlias = RowFiles | OwnRows
ScaleRatio: TypeAlias = Literal["mean", "median", "least-squares"]
Screening: TypeAlias = Literal["bfloat16", "float32"]
StreamMeasure: TypeAlias = Literal["variance", "coding-rate"]
TargetKind: TypeAlias = Literal["export", "gguf", "repair", "files"]
TaskFormat: TypeAlias = Literal["mmlu", "arc_easy", "arc_challenge", "openbookqa", "piqa", "boolq", "hellaswag", "winogrande", "lambada"]
TaskHandle: TypeAlias = Annotated[str, Meta(pattern="^task-[0-9a-f]{8}-[0-9]+$(?!\\n)")]
TaskKind: TypeAlias = Literal["choices", "last-word"]
TunedBlocks: TypeAlias = Literal["last", "neighbours"]
UnitKind: TypeAlias = Literal["block", "attention", "feed-forward"]
UnitName: TypeAlias = Annotated[str, Meta(pattern="^(block|attention|feed-forward)\\.[0-9]{1,6}$(?!\\n)")]
WorkerRuntime: TypeAlias = Literal["transformers", "mlx-lm", "onnxruntime"]

METHODS: dict[str, tuple[type[Struct], type[Struct]]] = {
    "worker.ping": (WorkerPingParams, WorkerPingResult),
    "worker.sleep": (WorkerSleepParams, WorkerSleepResult),
    "worker.checkTarget": (WorkerCheckTargetParams, Empty),
    "environment.read": (Empty, EnvironmentReadResult),
    "worker.status": (Empty, WorkerStatusResult),
    "model.load": (ModelLoadParams, ModelLoadResult),
    "model.tokenizer": (ModelTokenizerParams, TokenizerInfo),
    "model.unload": (ModelUnloadParams, Empty),
    "corpus.load": (CorpusLoadParams, CorpusLoadResult),
    "corpus.write": (CorpusWriteParams, CorpusLoadResult),
    "corpus.overlap": (CorpusOverlapParams, CorpusOverlap),
    "corpus.unload": (CorpusUnloadParams, Empty),
    "task.load": (TaskLoadParams, TaskLoadResult),
    "task.unload": (TaskUnloadParams, Empty),
    "subnetworks.evaluate": (SubnetworksEvaluateParams, SubnetworksEvaluateResult),
    "subnetworks.split": (SubnetworksSplitParams, SubnetworksSplitResult),
    "influence.measure": (InfluenceMeasureParams, InfluenceMeasureResult),
    "influence.gradients": (InfluenceGradientParams, InfluenceGradientResult),
    "influence.stream": (InfluenceStreamParams, InfluenceStreamResult),
    "gates.learn": (GatesLearnParams, GatesLearnResult),
    "routing.read": (RoutingReadParams, PromptFeatures),
    "routing.prompts": (RoutingPromptsParams, PromptFeatures),
    "evaluation.perplexity": (EvaluationPerplexityParams, PerplexityResult),
    "evaluation.choices": (EvaluationChoicesParams, ChoicesResult),
    "evaluation.lastWord": (EvaluationLastWordParams, LastWordResult),
    "repair.fit": (RepairFitParams, RepairFitResult),
    "repair.save": (RepairSaveParams, RepairSaveResult),
    "repair.load": (RepairLoadParams, RepairLoadResult),
    "repair.unload": (RepairUnloadParams, Empty),
    "policies.measure": (PoliciesMeasureParams, PoliciesMeasureResult),
    "profiling.profile": (ProfilingProfileParams, ProfilingProfileResult),
    "profiling.unitCosts": (ProfilingUnitCostsParams, ProfilingUnitCostsResult),
    "generation.generate": (GenerationGenerateParams, GenerationGenerateResult),
    "generation.loadTask": (GenerationLoadTaskParams, GenerationLoadTaskResult),
    "generation.unloadTask": (GenerationUnloadTaskParams, Empty),
    "generation.solve": (GenerationSolveParams, GenerationSolveResult),
    "harness.run": (HarnessRunParams, HarnessRunResult),
    "export.huggingface": (ExportHuggingfaceParams, ExportHuggingfaceResult),
    "export.gguf": (ExportGgufParams, ExportGgufResult),
    "export.onnx": (ExportOnnxParams, ExportOnnxResult),
    "export.canExport": (ExportCanExportParams, ExportCanExportResult),
    "export.limits": (ExportLimitsParams, ExportLimits),
    "export.check": (ExportCheckParams, ExportCheckResult),
    "hub.push": (HubPushParams, HubPushResult),
    "files.digest": (FilesDigestParams, FilesDigestResult),
    "files.list": (FilesListParams, FilesListResult),
    "files.read": (FilesReadParams, FilesReadResult),
}
"""Method name to its params and its result."""
