"""Counts what is on the shelves."""
from __future__ import annotations

import re
from dataclasses import dataclass, field

LINE = re.compile(r"^\s*(?P<name>[\w'-]+)\s*[:=]\s*(?P<count>-?\d{1,6})\s*$")


@dataclass(slots=True)
class Shelf:
    label: str = "A-01"
    items: dict[str, int] = field(default_factory=dict)

    def read(self, text: str, *, strict: bool = False) -> int:
        for number, line in enumerate(text.splitlines(), start=1):
            match = LINE.match(line)
            if match is None:
                if strict:
                    raise ValueError(f"line {number}: can't read {line!r}")
                continue
            name, count = match["name"], int(match["count"])
            self.items[name] = self.items.get(name, 0) + count
        return len(self.items)

    def __str__(self) -> str:
        return "\n".join(f"{k:<12}|{v:>8,.2f}" for k, v in sorted(self.items.items(), key=lambda kv: (-kv[1], kv[0])))


if __name__ == "__main__":
    shelf = Shelf()
    print(shelf.read("bolts: 1200\nnuts = 35\n# we'll skip this\n"), shelf, sep="\n\n")
