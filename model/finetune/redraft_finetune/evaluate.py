"""Measures an adapter with the real engine: `redraft bench apply` without it and with it."""

import argparse
import subprocess
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", type=Path)
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for the results; a stopped run is gone on with")
    parser.add_argument("--model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--route", default="model", choices=["model", "auto"])
    parser.add_argument("--side-by-side", default="4")
    parser.add_argument("--redraft", default="redraft")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name, more in [("before", ["--adapter", "none"]), ("after", ["--adapter", args.adapter])]:
        rows = args.out / f"{args.tasks.stem}.{args.route}.{name}.jsonl"
        command = [args.redraft, "bench", "apply", args.tasks, "--route", args.route, "--model", args.model]
        command += ["--out", rows, "--side-by-side", args.side_by_side, *more]
        report = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        rows.with_suffix(".txt").write_text(report)
        print(f"# {name}\n{report}")


if __name__ == "__main__":
    main()
