"""Samples as tokens, and how much each token of an answer counts."""

import json
import random
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

# What a token counts for: copied ones are many and easy.
COPIED = 1.0
# Tokens that are new, and those close to where the answer leaves the file or comes back to it.
NEAR_EDIT = 3.0
# Tokens after which the file goes on in more than one way: here a copy can take the wrong turn.
CROSSROADS = 2.0
# The first tokens, where an untrained model starts with the snippet, and the last, where it stops too early or not at all.
BORDER = 3.0
BORDER_TOKENS = 8
REACH = 6
CONTEXT = 3


@dataclass
class Sample:
    id: str
    prompt: list[int]
    answer: list[int]
    weights: list[float]

    @property
    def tokens(self) -> int:
        return len(self.prompt) + len(self.answer)


def weights(original: list[int], answer: list[int]) -> list[float]:
    """The weight of each token of `answer`, an edit of `original`."""
    result = [COPIED] * len(answer)
    successors: dict[tuple, set] = {}
    for at in range(CONTEXT, len(original)):
        successors.setdefault(tuple(original[at - CONTEXT : at]), set()).add(original[at])
    for at in range(CONTEXT, len(answer)):
        if len(successors.get(tuple(answer[at - CONTEXT : at]), ())) > 1:
            result[at] = CROSSROADS
    matcher = SequenceMatcher(None, original, answer, autojunk=False)
    for kind, _, _, first, end in matcher.get_opcodes():
        if kind != "equal":
            for at in range(max(0, first - REACH), min(len(answer), end + REACH)):
                result[at] = NEAR_EDIT
    for at in [*range(min(BORDER_TOKENS, len(answer))), *range(max(0, len(answer) - BORDER_TOKENS), len(answer))]:
        result[at] = BORDER
    return result


def read(path: Path, most_tokens: int) -> list[Sample]:
    samples = []
    with open(path, encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            if len(row["prompt"]) + len(row["answer"]) <= most_tokens:
                weighed = weights(row["original"], row["answer"])
                samples.append(Sample(row["id"], row["prompt"], row["answer"], weighed))
    if not samples:
        raise SystemExit(f"{path} has no sample of at most {most_tokens} tokens")
    return samples


def order(count: int, seed: int, epoch: int) -> list[int]:
    """The order of an epoch's samples."""
    indices = list(range(count))
    random.Random(f"{seed} {epoch}").shuffle(indices)
    return indices


def packs(samples: list[Sample], pack_tokens: int, seed: int, skip: int = 0):
    """Samples without end, as many at a time as fit into `pack_tokens`, after the first `skip` of them."""
    epoch, pack, room = 0, [], pack_tokens
    while True:
        for index in order(len(samples), seed, epoch):
            if skip > 0:
                skip -= 1
                continue
            sample = samples[index]
            if pack and sample.tokens > room:
                yield pack
                pack, room = [], pack_tokens
            pack.append(sample)
            room -= sample.tokens
        epoch += 1


def lengths(samples: list[Sample]) -> Counter:
    return Counter(sample.tokens // 256 * 256 for sample in samples)
