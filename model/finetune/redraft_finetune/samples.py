"""Samples as tokens, and how much each token of an answer counts."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# What a token counts for: copied ones are many and easy.
COPIED = 1
# Tokens that are new, and those close to where the answer leaves the file or comes back to it.
NEAR_EDIT = 3
# Tokens after which the file goes on in more than one way: here a copy can take the wrong turn.
CROSSROADS = 2
# The first tokens, where an untrained model starts with the snippet, and the last, where it stops too early or not at all.
BORDER = 3
BORDER_TOKENS = 8
REACH = 6
CONTEXT = 3
# Tokens that say where in the original an answer is.
ANCHOR = 5


@dataclass
class Sample:
    id: str
    prompt: list[int]
    answer: list[int]
    weights: list[int]

    @property
    def tokens(self) -> int:
        return len(self.prompt) + len(self.answer)


def edits(original: list[int], answer: list[int]) -> list[tuple[int, int]]:
    """The stretches of `answer` that are not copied from `original`; empty ones where something is left out.

    Goes along both and, where they part, on at the next few tokens that stand in what is left of the original.
    """
    places: dict[tuple, list[int]] = {}
    for at in range(len(original) - ANCHOR + 1):
        places.setdefault(tuple(original[at : at + ANCHOR]), []).append(at)
    found, here, at = [], 0, 0
    while at < len(answer):
        if here < len(original) and original[here] == answer[at]:
            here, at = here + 1, at + 1
            continue
        first = at
        while at < len(answer):
            later = [place for place in places.get(tuple(answer[at : at + ANCHOR]), ()) if place >= here]
            if later:
                here = later[0]
                break
            at += 1
        found.append((first, at))
    return found


def weights(original: list[int], answer: list[int]) -> list[int]:
    """The weight of each token of `answer`, an edit of `original`."""
    result = [COPIED] * len(answer)
    successors: dict[tuple, set] = {}
    for at in range(CONTEXT, len(original)):
        successors.setdefault(tuple(original[at - CONTEXT : at]), set()).add(original[at])
    for at in range(CONTEXT, len(answer)):
        if len(successors.get(tuple(answer[at - CONTEXT : at]), ())) > 1:
            result[at] = CROSSROADS
    for first, end in edits(original, answer):
        for at in range(max(0, first - REACH), min(len(answer), end + REACH)):
            result[at] = NEAR_EDIT
    for at in [*range(min(BORDER_TOKENS, len(answer))), *range(max(0, len(answer) - BORDER_TOKENS), len(answer))]:
        result[at] = BORDER
    return result


def write(path: Path, rows: Iterable[dict]) -> int:
    """Writes rows of `redraft bench tokens` as one compressed file."""
    ids, tokens, weighed, lengths = [], [], [], []
    for row in rows:
        ids.append(row["id"])
        tokens += [row["prompt"], row["answer"]]
        weighed.append(weights(row["original"], row["answer"]))
        lengths.append((len(row["prompt"]), len(row["answer"])))
    np.savez_compressed(
        path,
        ids=np.array(ids),
        lengths=np.array(lengths, np.uint32).reshape(-1, 2),
        tokens=np.concatenate([np.array(part, np.uint32) for part in tokens]),
        weights=np.concatenate([np.array(part, np.uint8) for part in weighed]),
    )
    return len(ids)


def read(path: Path, most_tokens: int) -> list[Sample]:
    """The samples of at most so many tokens."""
    samples, at, weight_at = [], 0, 0
    with np.load(path) as file:
        tokens, weighed = file["tokens"], file["weights"]
        for name, (prompt, answer) in zip(file["ids"].tolist(), file["lengths"].tolist()):
            if prompt + answer <= most_tokens:
                samples.append(
                    Sample(
                        name,
                        tokens[at : at + prompt].tolist(),
                        tokens[at + prompt : at + prompt + answer].tolist(),
                        weighed[weight_at : weight_at + answer].tolist(),
                    )
                )
            at, weight_at = at + prompt + answer, weight_at + answer
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
