"""Cuts a task down to the stretch of the file that its edit is about, so that it fits into few tokens."""


def changed(original: list[str], expected: list[str]) -> tuple[int, int]:
    """The lines of `original` from the first to behind the last that an edit touches."""
    shortest = min(len(original), len(expected))
    head = 0
    while head < shortest and original[head] == expected[head]:
        head += 1
    tail = 0
    while tail < shortest - head and original[-1 - tail] == expected[-1 - tail]:
        tail += 1
    return head, len(original) - tail


def shown(original: list[str], suggestion: list[str]) -> list[int]:
    """The lines of `original` that the suggestion shows, as far as they stand in one place only."""
    places: dict[str, list[int]] = {}
    for at, line in enumerate(original):
        places.setdefault(line.strip(), []).append(at)
    # Diffs put a sign before a line.
    texts = {form for line in suggestion for form in (line.strip(), line[1:].strip())}
    return [at for text in texts if len(text) > 3 and len(places.get(text, ())) == 1 for at in places[text]]


def cut(task: dict, rng, most_lines: int) -> dict | None:
    """The task on a window of at most about `most_lines` lines; nothing if what its suggestion shows does not fit in."""
    original, expected = task["original"].splitlines(), task["expected"].splitlines()
    first, end = changed(original, expected)
    places = shown(original, task["suggestion"].splitlines())
    first, end = min([first, *places]), max([end, *(at + 1 for at in places)])
    if end - first + 4 > most_lines:
        return None
    room = most_lines - (end - first)
    before = rng.randint(2, max(2, room - 2))
    low = snap(original, max(0, first - before), -1)
    high = snap(original, min(len(original), end + max(2, room - before)), 1)
    if high - low > most_lines + 8:
        return None
    after = len(original) - high
    return {
        **task,
        "original": joined(original[low:high]),
        "expected": joined(expected[low : len(expected) - after]),
    }


def snap(lines: list[str], at: int, step: int) -> int:
    """The next border between paragraphs within a few lines, or `at`."""
    for distance in range(5):
        here = at + step * distance
        if here <= 0 or here >= len(lines):
            return max(0, min(len(lines), here))
        border = here - 1 if step < 0 else here
        if not lines[border].strip():
            return here
    return at


def joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
