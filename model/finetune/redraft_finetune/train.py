"""Trains a LoRA adapter beside the base model. Stops when its time is over and goes on where it was when run again."""

import argparse
import json
import math
import os
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model

from redraft_finetune import base, chart, consistency, samples
from redraft_finetune.forward import Forward


class Adapter:
    """The adapter's weights in the model, and the f32 copies that the optimizer moves."""

    def __init__(self, model, rank: int, alpha: float):
        targets = [base.PARTS[name].split(".")[-1] for name in base.LINEAR]
        config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets, lora_dropout=0.0)
        self.model = get_peft_model(model, config, autocast_adapter_dtype=False)
        self.named = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        dtype = next(model.parameters()).dtype
        self.masters = {}
        for name, parameter in self.named.items():
            self.masters[name] = torch.nn.Parameter(parameter.detach().float().clone())
            parameter.data = parameter.data.to(dtype)
        factors = {}
        for name, master in self.masters.items():
            path, factor = name.split(".layers.")[1].split(".lora_")
            number, part = path.split(".", 1)
            factors.setdefault((int(number), part), [None, None])["AB".index(factor[0])] = master
        self.forward = Forward(self.core, factors, alpha / rank)

    @property
    def core(self):
        return self.model.base_model.model

    def take_gradients(self, scale: float, most: float) -> float:
        """Scales the gradients and clips them layer by layer; gives their whole norm before that."""
        layers: dict[str, list] = {}
        for name, master in self.masters.items():
            master.grad.mul_(scale)
            layers.setdefault(name.split(".layers.")[1].split(".")[0], []).append(master)
        norms = [torch.nn.utils.clip_grad_norm_(layer, most) for layer in layers.values()]
        return math.sqrt(sum(float(norm) ** 2 for norm in norms))

    @torch.no_grad()
    def take(self, values: dict):
        """Goes on from the weights of a checkpoint."""
        for name, value in values.items():
            self.masters[name].copy_(value)
        self.publish()

    def publish(self):
        with torch.no_grad():
            for name, parameter in self.named.items():
                parameter.copy_(self.masters[name])
                self.masters[name].grad = None
        self.forward.merge()


def losses(adapter, pack, device):
    """The weighted sum of the loss, the weights' sum, and the loss of each token without weights."""
    states = adapter.forward.answers(pack, device)
    targets = torch.tensor([token for sample in pack for token in sample.answer], device=device)
    weights = torch.tensor([weight for sample in pack for weight in sample.weights], device=device)
    each = F.cross_entropy(adapter.core.lm_head(states).float(), targets, reduction="none")
    return (each * weights).sum(), weights.sum(), each.detach()


@torch.no_grad()
def held_out(adapter, some, device) -> dict:
    """Whether greedy decoding would write each answer: it does where every token is the likeliest after those before it."""
    exact, total, count, right = 0, 0.0, 0, 0
    for sample in some:
        logits = adapter.core.lm_head(adapter.forward.answers([sample], device)).float()
        targets = torch.tensor(sample.answer, device=device)
        hits = logits.argmax(-1) == targets
        exact += int(hits.all())
        right += int(hits.sum())
        total += float(F.cross_entropy(logits, targets, reduction="sum"))
        count += len(targets)
    return {"held_out_loss": total / count, "token_accuracy": right / count, "exact": exact / len(some)}


def rate(progress: float) -> float:
    """Share of the highest learning rate: a short rise, a plateau, a fall to nothing."""
    return min(1.0, progress / 0.03, max(0.0, (1 - progress) / 0.4))


class Run:
    """A training run in a folder: its log, and a checkpoint that is whole at any moment."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.log_path = folder / "log.jsonl"
        self.state = {"step": 0, "samples": 0, "tokens": 0, "seconds": 0.0}
        folder.mkdir(parents=True, exist_ok=True)

    def restore(self, adapter, optimizer):
        path = self.folder / "checkpoint.pt"
        if path.exists():
            saved = torch.load(path, weights_only=True, map_location="cpu")
            self.state = saved["state"]
            adapter.take(saved["adapter"])
            optimizer.load_state_dict(saved["optimizer"])
            # What was logged after the checkpoint happens again.
            kept = [line for line in self.lines() if json.loads(line)["step"] <= self.state["step"]]
            self.log_path.write_text("".join(f"{line}\n" for line in kept))
        elif self.log_path.exists():
            self.log_path.unlink()

    def lines(self):
        return self.log_path.read_text().splitlines() if self.log_path.exists() else []

    def save(self, adapter, optimizer):
        saved = {
            "state": self.state,
            "adapter": {name: master.detach().cpu() for name, master in adapter.masters.items()},
            "optimizer": optimizer.state_dict(),
        }
        partial = self.folder / "checkpoint.part"
        torch.save(saved, partial)
        os.replace(partial, self.folder / "checkpoint.pt")
        adapter.model.save_pretrained(self.folder / "adapter")

    def log(self, **row):
        row = {**self.state, **row}
        with open(self.log_path, "a") as out:
            out.write(json.dumps(row) + "\n")
        print({key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}, flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gguf", type=Path, required=True, help="the base model's file: redraft model path NAME")
    parser.add_argument("--data", type=Path, default=Path("data"), help="what the data step made")
    parser.add_argument("--run", type=Path, required=True, help="the run's folder: log, chart, checkpoint, adapter")
    parser.add_argument("--minutes", type=float, default=60, help="length of the whole run, all its parts together")
    parser.add_argument("--part-minutes", type=float, default=math.inf, help="stop this part after so long")
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--alpha", type=float, default=16)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--clip", type=float, default=1.0, help="longest gradient of a layer")
    parser.add_argument("--most-tokens", type=int, default=520, help="longer samples are left out")
    parser.add_argument("--pack-tokens", type=int, default=0, help="tokens of samples that are run as one sequence")
    parser.add_argument("--step-tokens", type=int, default=1600, help="tokens between two steps of the optimizer")
    parser.add_argument(
        "--sure", type=float, default=1.0, help="nothing is learnt from a pack whose every token is at least so likely"
    )
    parser.add_argument("--held-out-samples", type=int, default=24)
    parser.add_argument("--evaluate-every", type=int, default=25, help="steps between two looks at what is held out")
    parser.add_argument("--save-every", type=int, default=5, help="steps between two checkpoints")
    parser.add_argument(
        "--trajectories", type=Path, help="learn consistency too, from what redraft_finetune.consistency wrote"
    )
    parser.add_argument(
        "--consistency", type=float, default=1.0, help="weight of the consistency loss beside the answers'"
    )
    parser.add_argument("--start", type=Path, help="checkpoint of another run whose adapter this one begins with")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    run = Run(args.run)
    (args.run / "arguments.json").write_text(json.dumps(vars(args), default=str, indent=1) + "\n")
    train = samples.read(args.data / "train.npz", args.most_tokens)
    others = samples.read(args.data / "held_out.npz", args.most_tokens)[: args.held_out_samples]
    print(f"{len(train)} samples, {sum(sample.tokens for sample in train)} tokens; held out: {len(others)}")
    model = base.load(args.gguf).to(args.device)
    adapter = Adapter(model, args.rank, args.alpha)
    trajectories = consistency.read(args.trajectories) if args.trajectories else []
    optimizer = torch.optim.AdamW(adapter.masters.values(), lr=args.rate, betas=(0.9, 0.95), weight_decay=0.0)
    if args.start and not (args.run / "checkpoint.pt").exists():
        adapter.take(torch.load(args.start, weights_only=True, map_location="cpu")["adapter"])
    run.restore(adapter, optimizer)
    state, before, started = run.state, run.state["seconds"], time.monotonic()

    def seconds():
        return before + time.monotonic() - started

    if state["step"] == 0:
        run.log(**held_out(adapter, others, args.device))
    packs = samples.packs(train, args.pack_tokens, args.seed, state["samples"])
    whole, part = 60 * args.minutes, before + 60 * args.part_minutes
    while seconds() < min(whole, part):
        state["step"] += 1
        mean, weight, packed, tokens, learnt, apart = 0.0, 0.0, 0, 0, 0, []
        while learnt < args.step_tokens:
            pack = next(packs)
            size = sum(sample.tokens for sample in pack)
            loss, weights, plain = losses(adapter, pack, args.device)
            mean, packed, tokens = mean + float(plain.mean()), packed + 1, tokens + size
            state["samples"] += len(pack)
            if float(plain.max()) <= -math.log(args.sure):
                if tokens > 100 * args.step_tokens:
                    raise SystemExit("nothing is left to learn at --sure; the last checkpoint is the result")
                continue
            loss.backward()
            learnt, weight = learnt + size, weight + float(weights)
            if trajectories:
                rng = random.Random(f"{args.seed} {state['samples']}")
                far = consistency.loss(adapter, rng.choices(trajectories, k=len(pack)), rng, args.device)
                # In proportion to the answers' tokens, so that its share does not depend on how samples are packed.
                (args.consistency * far * weights).backward()
                apart.append(float(far.detach()))
        norm = adapter.take_gradients(1 / weight, args.clip)
        share = rate(seconds() / whole)
        for group in optimizer.param_groups:
            group["lr"] = args.rate * share
        optimizer.step()
        adapter.publish()
        state["tokens"] += tokens
        state["seconds"] = seconds()
        last = seconds() >= min(whole, part)
        found = {"consistency_loss": sum(apart) / len(apart)} if apart else {}
        if args.sure < 1:
            found["learnt"] = learnt
        look = last or state["step"] % args.evaluate_every == 0
        if look:
            found |= held_out(adapter, others, args.device)
            state["seconds"] = seconds()
        run.log(loss=mean / packed, norm=norm, rate=args.rate * share, **found)
        if look or state["step"] % args.save_every == 0:
            run.save(adapter, optimizer)
            chart.draw(run.log_path, args.run / "chart.svg")
    print("done" if seconds() >= whole else "this part is over; run the same command again to go on")


if __name__ == "__main__":
    main()
