"""The base model: the very weights that users run, taken out of their GGUF file."""

from pathlib import Path

import gguf
import torch
from gguf.quants import dequantize
from transformers import Qwen2Config, Qwen2ForCausalLM

# GGUF's names of a layer's parts, and the checkpoint's.
PARTS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OUTER = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
# The matrices that an adapter goes beside: all of a layer.
LINEAR = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]


def checkpoint_name(name: str) -> str:
    """`blk.3.attn_q.weight` as the checkpoint calls it."""
    *path, kind = name.split(".")
    if path[0] == "blk":
        return f"model.layers.{path[1]}.{PARTS[path[2]]}.{kind}"
    return f"{OUTER[path[0]]}.{kind}"


def load(path: Path, dtype=torch.bfloat16) -> Qwen2ForCausalLM:
    """Reads a GGUF file of the qwen2 architecture and dequantizes it."""
    reader = gguf.GGUFReader(path)

    def value(key):
        return reader.fields[key].contents()

    architecture = value("general.architecture")
    if architecture != "qwen2":
        raise SystemExit(f"{path} has the architecture {architecture}; only qwen2 can be trained here")
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    tied = "output.weight" not in tensors
    config = Qwen2Config(
        vocab_size=len(value("tokenizer.ggml.tokens")),
        hidden_size=value("qwen2.embedding_length"),
        intermediate_size=value("qwen2.feed_forward_length"),
        num_hidden_layers=value("qwen2.block_count"),
        num_attention_heads=value("qwen2.attention.head_count"),
        num_key_value_heads=value("qwen2.attention.head_count_kv"),
        max_position_embeddings=value("qwen2.context_length"),
        rms_norm_eps=value("qwen2.attention.layer_norm_rms_epsilon"),
        rope_theta=value("qwen2.rope.freq_base"),
        tie_word_embeddings=tied,
        use_cache=False,
    )
    with torch.device("meta"):
        model = Qwen2ForCausalLM(config)
    state = {}
    for name, tensor in tensors.items():
        weights = dequantize(tensor.data, tensor.tensor_type)
        state[checkpoint_name(name)] = torch.from_numpy(weights.copy()).to(dtype)
    if tied:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state, strict=True, assign=True)
    if tied:
        model.tie_weights()
    # The rotary frequencies are no weights; they were left on the meta device.
    model.model.rotary_emb = type(model.model.rotary_emb)(config=config)
    return model.requires_grad_(False)
