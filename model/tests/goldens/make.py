"""Makes tokenizer.json: what the reference tokenizers give for our samples.

    python3 -m venv /tmp/goldens && /tmp/goldens/bin/pip install tokenizers gguf
    /tmp/goldens/bin/python model/tests/goldens/make.py ~/.cache/redraft/models

The reference is Hugging Face's `tokenizers`, set up as the models' own tokenizer.json files are, with the vocabulary
and merges that the GGUF files carry. The one difference is meant: Qwen's NFC normalization is left out, because a
rewritten file has to keep its bytes (llama.cpp leaves it out too). Each line below names what a sample is for.
"""

import json
import pathlib
import sys

import gguf
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

HERE = pathlib.Path(__file__).parent

QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PRE_TOKENIZERS = {
    "qwen2": pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(QWEN2), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    ),
    "smollm": pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False, use_regex=True)]
    ),
}
MODELS = {"qwen2.5-coder-0.5b": "qwen2", "smollm2-135m": "smollm"}

TEXTS = {
    "empty": "",
    "one space": " ",
    "crlf": "fn main() {\r\n\tprintln!(\"hi\");\r\n}\r\n\r\n\r\n// end\r\n",
    "mixed line ends": "a\nb\r\nc\rd\n\r\n\n\re\u2028f\u2029g\u0085h\x0bi\x0cj",
    "no final newline": "x = 1\ny = 2",
    "tabs and spaces": "\tif x:\n\t\treturn  y\n    \tz\n  \t  \n\n\n        w   \n",
    "long run of spaces": "a" + " " * 1000 + "b" + " " * 333,
    "long run of newlines": "a" + "\n" * 500 + "b" + "\r\n" * 77,
    "long run of tabs": "\t" * 300 + "x",
    "long word": "supercalifragilistic" * 40 + "_" + "ABcd" * 60,
    "long line of signs": "=" * 200 + "-" * 131 + "/*" * 70 + "\n",
    "cjk": "// 计算两个日期之间的天数，忽略时区。\n关数 = 「こんにちは、世界」\n한국어 주석: 값을 반환합니다\n",
    "emoji": "🚀 done ✅ 👩‍👩‍👧‍👦 family, 👍🏽 skin, 🏳️‍🌈 flag, 🇩🇪🇯🇵 regions, 1️⃣ keycap ❤️",
    "decomposed": "e\u0301tude n\u0303 A\u030a \u1112\u1161\u11ab; composed: étude ñ Å 한",
    "combining at the start": "\u0301a \u20dd\u200d\u200b\ufeffx",
    "other scripts": "Привет, мир! Ωμέγα שלום עולם مرحبا بالعالم नमस्ते ไทย ኣማርኛ ქართული",
    "digits": "1234567890 3.14159e-26 0xDEADbeef 1_000_000 v2.10.3 ²³¹ ٣٤٥ ⅧⅫ ½ 三",
    "contractions": "don't DON'T it'S we'Re they'VE I'll I'M 'tis o'clock 'sss '\u017f x''s 'l 'v 'r",
    "control characters": "a\x00b\x01\x02\x03\x05\x07\x08\x0e\x1b[31mred\x1b[0m\x7f\x80\x9f",
    "special look-alikes": "<|im_start|>user\n<|im_end|><|endoftext|> <|fim_prefix|>x<|fim_suffix|><tool_call> <|im_end",
    "quotes and fences": "````md\n```rust\nlet s = \"`\";\n```\n````\n~~~\n'''\"\"\"\n",
    "mathematics and private use": "∀x∈ℝ: ⌈x⌉ = −⌊−x⌋ ≠ ∅ → 𝒜𝔅ℂ \ue000\uf8ff \U000f0000 €$¥₿",
    "no-break and wide spaces": "a\u00a0b\u2003c\u3000\u3000d\u202f\u205fe \u00a0 f\u1680",
    "byte order mark": "\ufeffusing System;\n",
    "json": '{"a": [1, 2.5e3, null, true], "b\\u00e9": {"c": "\\n\\t\\"\\\\"}}',
    "markdown": "# Title\n\n- [ ] item *one*\n  1. **two**\n\n> quote\n\n| a | b |\n|---|:-:|\n",
}


def reference(path, name):
    fields = gguf.GGUFReader(path).fields
    content = {key: fields["tokenizer.ggml." + key].contents() for key in ("pre", "tokens", "merges")}
    assert content["pre"] == name, content["pre"]
    vocabulary = {token: id for id, token in enumerate(content["tokens"])}
    merges = [tuple(merge.split(" ")) for merge in content["merges"]]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = PRE_TOKENIZERS[name]
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def main():
    folder = pathlib.Path(sys.argv[1]).expanduser()
    tokenizers = {model: reference(folder / (model + ".gguf"), pre) for model, pre in MODELS.items()}
    samples = [(path.name, path.read_bytes().decode(), True) for path in sorted((HERE / "samples").iterdir())]
    samples += [(name, text, False) for name, text in TEXTS.items()]
    rows = []
    for name, text, is_file in samples:
        row = {"file": name} if is_file else {"name": name, "text": text}
        for model, tokenizer in tokenizers.items():
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            assert tokenizer.decode(ids, skip_special_tokens=False) == text, (model, name)
            row[model] = ids
        rows.append(json.dumps(row, ensure_ascii=True, separators=(",", ":")))
    (HERE / "tokenizer.json").write_text("[\n" + ",\n".join(rows) + "\n]\n")


main()
