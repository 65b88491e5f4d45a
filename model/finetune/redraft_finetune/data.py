"""Makes training data: tasks are chosen and varied here; the engine itself cuts them to what a model sees, in tokens."""

import argparse
import gzip
import json
import random
import subprocess
from collections import Counter
from pathlib import Path

from redraft_finetune import samples
from redraft_finetune import synthetic as synthetic_edits

# What an assistant's suggestions look like; at 5 % each, search/replace blocks and diffs stayed behind.
STYLES = {"lazy": 0.38, "items": 0.18, "bare": 0.1, "messy": 0.12, "search": 0.11, "udiff": 0.11}
# Repositories that nothing is trained on: they tell how well what was learnt carries over.
HELD_OUT = {"pytest-dev/pytest", "axios/axios", "cli/cli", "clap-rs/clap", "vuejs/core", "rubocop/rubocop"}


def read(path: Path):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def write(path: Path, rows) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with open(path, "w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def already_there(task: dict) -> dict:
    """The edit was made before: there is nothing to do."""
    return {**task, "id": task["id"] + "+done", "original": task["expected"]}


def does_not_fit(task: dict, other: dict) -> dict:
    """A suggestion for another file: the file stays as it is."""
    return {
        **task,
        "id": task["id"] + "+foreign",
        "suggestion": other["suggestion"],
        "instruction": other["instruction"],
        "expected": task["original"],
    }


def chosen(tasks: list[dict], args, rng):
    """Tasks in the shares of their styles, with some that ask for no change."""
    pools = {style: iter([task for task in tasks if task["style"] == style]) for style in STYLES}
    earlier: dict[str, dict] = {}
    styles, shares = list(STYLES), list(STYLES.values())
    for _ in range(args.count):
        task = next(pools[rng.choices(styles, shares)[0]], None)
        if task is None:
            continue
        draw, other = rng.random(), earlier.get(task["language"])
        earlier[task["language"]] = task
        if draw < args.unchanged / 2:
            yield already_there(task)
        elif draw < args.unchanged and other and other["repo"] != task["repo"]:
            yield does_not_fit(task, other)
        else:
            yield task


def synthetic(tasks: list[dict], count: int, args, rng) -> list[dict]:
    """About `count` tasks whose edits are made by program; the engine's command writes their suggestions."""
    pairs, out = args.out / "synthetic.pairs", args.out / "synthetic.tasks"
    # Many are left out again: small ones are thinned out there as in histories.
    edits = []
    for task in rng.choices(tasks, k=3 * count):
        made = synthetic_edits.edit(task["expected"], task["language"], rng)
        if made is not None:
            edits.append({"path": task["path"], "before": task["expected"], "after": made[0], "repo": task["repo"]})
    write(pairs, edits)
    subprocess.run(
        [args.redraft, "bench", "mine", "--pairs", pairs, "--out", out, "--seed", str(args.seed)], check=True
    )
    rows = list(read(out))
    pairs.unlink()
    out.unlink()
    rng.shuffle(rows)
    return rows[:count]


def tokens(redraft: str, model: str, tasks: Path, out: Path):
    """What the engine makes of the tasks, as samples."""
    rows = tasks.with_suffix(".tokens")
    subprocess.run([redraft, "bench", "tokens", tasks, "--out", rows, "--model", model], check=True)
    samples.write(out, read(rows))
    rows.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", type=Path, nargs="+", help="tasks in the form that `redraft bench apply` reads")
    parser.add_argument("--out", type=Path, default=Path("data"), help="the folder that the data goes to")
    parser.add_argument("--count", type=int, default=20000, help="training samples at most")
    parser.add_argument("--held-out", type=int, default=200, help="samples from other repositories, to watch training")
    parser.add_argument("--unchanged", type=float, default=0.06, help="share of samples that ask for no change")
    parser.add_argument("--synthetic", type=float, default=0.25, help="synthetic edits to each real one")
    parser.add_argument("--redraft", default="redraft", help="the engine's command")
    parser.add_argument("--model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    tasks = [task for path in args.tasks for task in read(path)]
    rng.shuffle(tasks)
    parts = {
        "held_out": ([task for task in tasks if task.get("repo") in HELD_OUT], args.held_out),
        "train": ([task for task in tasks if task.get("repo") not in HELD_OUT], args.count),
    }
    for name, (pool, count) in parts.items():
        args.count = count
        if name == "train" and args.synthetic > 0:
            real = pool[: round(count / (1 + args.synthetic))]
            pool = real + synthetic(pool, count - len(real), args, rng)
            rng.shuffle(pool)
        rows = list(chosen(pool, args, rng))
        path = args.out / f"{name}.tasks.jsonl"
        write(path, rows)
        tokens(args.redraft, args.model, path, args.out / f"{name}.npz")
        print(name, dict(Counter(row["style"] for row in rows)))


if __name__ == "__main__":
    main()
