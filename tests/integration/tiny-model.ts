import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundledModel } from "../../src/environment/bundled-model.ts";

const [width, inner, heads, groups, words] = [32, 48, 4, 2, 49_152];

/**
 * Writes a Llama of random weights that reads text with the bundled model's tokenizer: loaded in a moment,
 * and with numbers of its own for every subnetwork.
 */
export function writeTinyModel(folder: string, blocks = 6): string {
  const tokenizer = bundledModel().folder;
  mkdirSync(folder, { recursive: true });
  for (const file of ["tokenizer.json", "tokenizer_config.json"]) {
    copyFileSync(join(tokenizer, file), join(folder, file));
  }
  const config = {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    dtype: "float32",
    vocab_size: words,
    hidden_size: width,
    intermediate_size: inner,
    num_hidden_layers: blocks,
    num_attention_heads: heads,
    num_key_value_heads: groups,
    max_position_embeddings: 512,
    tie_word_embeddings: true,
    bos_token_id: 0,
    eos_token_id: 0,
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const shapes: Record<string, number[]> = {
    "model.embed_tokens.weight": [words, width],
    "model.norm.weight": [width],
  };
  const narrow = (width * groups) / heads;
  for (let block = 0; block < blocks; block += 1) {
    const name = (part: string) => `model.layers.${block}.${part}.weight`;
    Object.assign(shapes, {
      [name("input_layernorm")]: [width],
      [name("self_attn.q_proj")]: [width, width],
      [name("self_attn.k_proj")]: [narrow, width],
      [name("self_attn.v_proj")]: [narrow, width],
      [name("self_attn.o_proj")]: [width, width],
      [name("post_attention_layernorm")]: [width],
      [name("mlp.gate_proj")]: [inner, width],
      [name("mlp.up_proj")]: [inner, width],
      [name("mlp.down_proj")]: [width, inner],
    });
  }
  writeFileSync(join(folder, "model.safetensors"), safetensors(shapes));
  return folder;
}

/** Norms are ones, all else is spread over -0.3 to 0.3. */
function safetensors(shapes: Record<string, number[]>): Buffer {
  let state = 1;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return 0.6 * (state / 2 ** 32 - 0.5);
  };
  const header: Record<string, object> = {};
  const data: Float32Array[] = [];
  let end = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    const size = shape.reduce((product, length) => product * length, 1);
    data.push(Float32Array.from({ length: size }, shape.length === 1 ? () => 1 : next));
    header[name] = { dtype: "F32", shape, data_offsets: [end, end + 4 * size] };
    end += 4 * size;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...data.map(({ buffer }) => Buffer.from(buffer))]);
}
