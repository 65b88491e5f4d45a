"""Writes a trained adapter as the file that the engine loads: GGUF in llama.cpp's form for LoRA adapters."""

import argparse
import hashlib
import json
from pathlib import Path

import gguf
import torch
from gguf.quants import quantize

from redraft_finetune.base import OUTER, PARTS

TYPE = gguf.GGMLQuantizationType.BF16


def gguf_name(name: str) -> str:
    """`...layers.3.self_attn.q_proj.lora_A.default.weight` as GGUF calls it."""
    layer = name.split(".layers.")[1].split(".")[0]
    for part, checkpoint in PARTS.items():
        if f".layers.{layer}.{checkpoint}." in name:
            end = "lora_a" if ".lora_A." in name else "lora_b"
            return f"blk.{layer}.{part}.weight.{end}"
    raise SystemExit(f"{name} goes beside no matrix of a layer; {', '.join(OUTER)} have no adapter")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="the run's folder")
    parser.add_argument("--gguf", type=Path, required=True, help="the base model's file that the run used")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--name", default="redraft-rewrite")
    args = parser.parse_args()
    saved = torch.load(args.run / "checkpoint.pt", weights_only=True, map_location="cpu")
    alpha = json.loads((args.run / "arguments.json").read_text())["alpha"]
    base = gguf.GGUFReader(args.gguf)
    writer = gguf.GGUFWriter(args.out, base.fields["general.architecture"].contents())
    writer.add_type("adapter")
    writer.add_name(args.name)
    writer.add_license("apache-2.0")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    writer.add_uint64("redraft.adapter.base_size", args.gguf.stat().st_size)
    with open(args.gguf, "rb") as file:
        writer.add_string("redraft.adapter.base_sha256", hashlib.file_digest(file, "sha256").hexdigest())
    writer.add_uint64("redraft.adapter.trained_tokens", saved["state"]["tokens"])
    for name, values in sorted(saved["adapter"].items()):
        writer.add_tensor(gguf_name(name), quantize(values.numpy(), TYPE), raw_dtype=TYPE)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    digest = hashlib.sha256(args.out.read_bytes()).hexdigest()
    print(f"{args.out}: {args.out.stat().st_size} bytes, sha256 {digest}, after {saved['state']}")


if __name__ == "__main__":
    main()
