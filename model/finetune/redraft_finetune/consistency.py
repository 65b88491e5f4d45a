"""Jacobi trajectories of the model itself, for the consistency objective (CLLM, arXiv:2403.00835).

Jacobi decoding guesses the next tokens all at once and refines them until they no longer change; that fixed point is what
greedy decoding writes. A model that was trained to jump from any point of such a trajectory to its end needs fewer rounds.
"""

import argparse
import json
import random
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import DynamicCache

from redraft_finetune import base, samples


@dataclass
class Trajectory:
    """Guesses for the tokens after `prefix`, each made from the one before it; the last is the fixed point."""

    prefix: list[int]
    guesses: list[list[int]]

    @property
    def rounds(self) -> int:
        return len(self.guesses) - 1


@torch.no_grad()
def jacobi(core, prefix: list[int], first: list[int], device) -> Trajectory:
    """Refines `first` until it is what greedy decoding writes after `prefix`."""
    cache = DynamicCache()
    core.model(input_ids=torch.tensor([prefix[:-1]], device=device), past_key_values=cache, use_cache=True)
    guesses = [first]
    # One more token is right after each round, so this ends.
    for _ in range(len(first) + 1):
        ids = torch.tensor([prefix[-1:] + guesses[-1][:-1]], device=device)
        states = core.model(input_ids=ids, past_key_values=cache, use_cache=True).last_hidden_state[0]
        cache.crop(-len(first))
        better = core.lm_head(states).argmax(-1).tolist()
        if better == guesses[-1]:
            break
        guesses.append(better)
    return Trajectory(prefix, guesses)


def loss(adapter, some: list[Trajectory], rng, device):
    """How far the model with the adapter is from the fixed points when it sees earlier guesses: the mean over the tokens."""
    sequences, wanted, ends, start = [], [], [], 0
    for trajectory in some:
        guess, end = rng.choice(trajectory.guesses[:-1]), trajectory.guesses[-1]
        sequences.append(trajectory.prefix + guess[:-1])
        # What is right already is learnt from the answers; here the first wrong token and those behind it count.
        wrong = next(at for at, (one, other) in enumerate(zip(guess, end)) if one != other)
        first = start + len(trajectory.prefix) - 1
        wanted += range(first + wrong, first + len(end))
        ends += end[wrong:]
        start += len(sequences[-1])
    states = adapter.forward.states(sequences, device)[torch.tensor(wanted, device=device)]
    return F.cross_entropy(adapter.core.lm_head(states).float(), torch.tensor(ends, device=device))


def begun(sample, block: int, free: bool, rng) -> tuple[list[int], list[int]]:
    """What a trajectory of this sample starts from: a prefix up to a random place of the answer, and a first guess.

    A rewrite has the prompt before it, and guesses from there; free text is the answer's code alone, from its second half.
    """
    last = max(1, len(sample.answer) - block)
    at = rng.randrange(max(1, last // 2), last + 1) if free else rng.randrange(last)
    prefix = sample.answer[:at] if free else sample.prompt + sample.answer[:at]
    return prefix, [rng.choice(prefix if free else sample.prompt) for _ in range(block)]


def read(path: Path) -> list[Trajectory]:
    with open(path) as lines:
        found = [Trajectory(**json.loads(line)) for line in lines]
    return [trajectory for trajectory in found if trajectory.rounds > 0]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--run", type=Path, help="collect from the base model with this run's adapter")
    parser.add_argument("--data", type=Path, required=True, help="samples, as the data step wrote them (.npz)")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--block", type=int, default=16, help="tokens that are guessed at once")
    parser.add_argument("--most-tokens", type=int, default=520)
    parser.add_argument("--free", action="store_true", help="code without a prompt before it, as in completion")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    core = base.load(args.gguf).to(args.device)
    if args.run:
        from peft import PeftModel

        core = PeftModel.from_pretrained(core, args.run / "adapter", autocast_adapter_dtype=False).base_model.model
        core.to(torch.bfloat16)
    some = samples.read(args.data, args.most_tokens)
    if args.free:
        some = [sample for sample in some if len(sample.answer) > 2 * args.block]
    some = some[: args.count]
    tokens = rounds = 0
    with open(args.out, "w") as out:
        for sample in some:
            # Seeded by the sample, so that another model starts from the same.
            rng = random.Random(f"{args.seed} {sample.id}")
            trajectory = jacobi(core, *begun(sample, args.block, args.free, rng), args.device)
            out.write(json.dumps(vars(trajectory)) + "\n")
            tokens, rounds = tokens + args.block, rounds + trajectory.rounds + 1
    print(f"{len(some)} trajectories, {tokens / rounds:.2f} tokens a forward with blocks of {args.block}")


if __name__ == "__main__":
    main()
