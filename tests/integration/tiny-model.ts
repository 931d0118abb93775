import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { bundledModel } from "../../src/environment/bundled-model.ts";
import { resolveWorkerPython } from "../../src/environment/worker-python.ts";

const SCRIPT = `
import sys, torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
torch.manual_seed(0)
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
config = LlamaConfig(
    vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=int(sys.argv[4]),
    num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=int(sys.argv[5]),
    bos_token_id=0, eos_token_id=0, tie_word_embeddings=True,
)
model = LlamaForCausalLM(config)
exec(sys.argv[3])
model.save_pretrained(sys.argv[2])
tokenizer.save_pretrained(sys.argv[2])
`;

/** Surgery for tests that choose: without one of its blocks losses differ in their first digits. */
export const LIVELY = `
for parameter in model.parameters():
    if parameter.dim() > 1:
        parameter.data *= 8
`;

interface Shape {
  readonly blocks?: number;
  readonly positions?: number;
}

/**
 * A random model of six small blocks with the bundled model's tokenizer, 6 MB in all: gives its folder.
 * `surgery`: Python that changes `model` first.
 */
export async function tinyModel(
  parent: string,
  surgery = "",
  { blocks = 6, positions = 256 }: Shape = {},
): Promise<string> {
  const folder = join(parent, "tiny");
  const { python, env } = await resolveWorkerPython();
  const args = [
    "-I",
    "-X",
    "utf8",
    "-c",
    SCRIPT,
    bundledModel().folder,
    folder,
    surgery,
    String(blocks),
    String(positions),
  ];
  await promisify(execFile)(python, args, { env: { ...process.env, ...env } });
  return folder;
}
