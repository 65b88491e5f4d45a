"""Edits made by program on real files: rename, add a parameter, wrap, extract, delete, move, reorder, several at once.

Only the edit is made here; `redraft bench mine --pairs` chooses among them and writes the suggestions.
"""

import re

NAME = re.compile(r"\b[a-z][A-Za-z0-9_]{3,}\b")
FUNCTION = re.compile(
    r"^(\s*)(?:pub(?:\([a-z]+\))? |export |async |static |public |private |protected )*"
    r"(?:fn|def|func|function|fun)\s+([A-Za-z_]\w*)\s*\(([^()]*)\)"
)
KEYWORDS = {
    "self",
    "this",
    "return",
    "else",
    "elif",
    "while",
    "break",
    "match",
    "async",
    "await",
    "class",
    "struct",
    "import",
    "from",
    "with",
    "yield",
    "raise",
    "except",
    "finally",
    "true",
    "false",
    "None",
    "null",
    "function",
    "const",
    "static",
    "public",
    "private",
    "string",
    "boolean",
    "super",
    "where",
    "impl",
    "trait",
    "enum",
}
NEW_NAMES = ["options", "limit", "context", "strict", "timeout", "depth", "prefix", "config", "verbose", "state"]
# How a condition is put around lines, and what ends it.
CONDITIONS = {
    "python": ("if {0}:", None),
    "ruby": ("if {0}", "end"),
    "rust": ("if {0} {{", "}"),
    "go": ("if {0} {{", "}"),
}
CONDITION = ("if ({0}) {{", "}")
PARAMETERS = {
    "python": "{0}=None",
    "ruby": "{0} = nil",
    "rust": "{0}: usize",
    "go": "{0} int",
    "java": "int {0}",
    "csharp": "int {0}",
    "cpp": "int {0}",
    "c": "int {0}",
    "php": "${0} = null",
    "typescript": "{0}?: number",
    "tsx": "{0}?: number",
    "kotlin": "{0}: Int = 0",
}


def indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def paragraphs(lines: list[str]) -> list[tuple[int, int]]:
    """Stretches between blank lines that end at least as deep as they begin."""
    found, start = [], None
    for at, line in enumerate([*lines, ""]):
        if line.strip() and start is None:
            start = at
        elif not line.strip() and start is not None:
            if indent(lines[at - 1]).startswith(indent(lines[start])) and at - start <= 30:
                found.append((start, at))
            start = None
    return found


def statements(lines: list[str], rng, most: int) -> tuple[int, int] | None:
    """A few lines in a row of one indentation that look like statements."""
    for _ in range(30):
        start = rng.randrange(len(lines))
        depth = indent(lines[start])
        end = start
        while end < len(lines) and end - start < most and lines[end].strip() and indent(lines[end]) == depth:
            end += 1
        simple = all(line.rstrip().endswith((";", ")", "]", '"', "'")) for line in lines[start:end])
        whole = all(
            line.count("(") == line.count(")") and line.count("{") == line.count("}") for line in lines[start:end]
        )
        if depth and end > start and simple and whole:
            return start, end
    return None


def rename(lines, language, rng):
    """One name in one stretch of the file."""
    blocks = [block for block in paragraphs(lines) if block[1] - block[0] >= 3]
    if not blocks:
        return None
    start, end = rng.choice(blocks)
    names = [name for line in lines[start:end] for name in NAME.findall(line) if name not in KEYWORDS]
    if not names:
        return None
    old = rng.choice(names)
    new = (
        rng.choice([f"{old}_value", f"new_{old}", f"current_{old}"])
        if "_" in old
        else f"current{old[0].upper()}{old[1:]}"
    )
    changed = [re.sub(rf"\b{re.escape(old)}\b", new, line) for line in lines[start:end]]
    return lines[:start] + changed + lines[end:]


def add_parameter(lines, language, rng):
    """A parameter more in a function, and an argument more where the file calls it."""
    found = [(at, match) for at, line in enumerate(lines) if (match := FUNCTION.match(line))]
    if not found or language not in PARAMETERS:
        return None
    at, match = rng.choice(found)
    name, parameters = match.group(2), match.group(3).strip()
    added = PARAMETERS[language].format(rng.choice(NEW_NAMES))
    head = lines[at]
    joined = f"{parameters}, {added}" if parameters else added
    changed = head[: match.start(3)] + joined + head[match.end(3) :]
    result = [*lines]
    result[at] = changed
    call = re.compile(rf"(?<![\w.]){re.escape(name)}\(([^()]*)\)")
    for other, line in enumerate(lines):
        if other != at:
            result[other] = call.sub(
                lambda m: f"{name}({m.group(1) + ', ' if m.group(1).strip() else ''}{rng.randint(0, 9)})", line
            )
    return result


def wrap(lines, language, rng):
    """Some statements become conditional."""
    place = statements(lines, rng, 5)
    if place is None:
        return None
    start, end = place
    depth = indent(lines[start])
    step = (
        "\t" if depth.startswith("\t") else "  " if language in ("ruby", "typescript", "tsx", "javascript") else "    "
    )
    opening, closing = CONDITIONS.get(language, CONDITION)
    inner = [f"{step}{line}" for line in lines[start:end]]
    condition = f"{depth}{opening.format(rng.choice(NEW_NAMES))}"
    return [*lines[:start], condition, *inner, *([f"{depth}{closing}"] if closing else []), *lines[end:]]


def extract(lines, language, rng):
    """Some statements of a Python function go to a function of their own."""
    place = statements(lines, rng, 5)
    if language != "python" or place is None or place[1] - place[0] < 2:
        return None
    start, end = place
    top = next((at for at in range(start, -1, -1) if re.match(r"(def|class|async def) ", lines[at])), None)
    while top is not None and top > 0 and lines[top - 1].startswith(("@", "#")):
        top -= 1
    if top is None or any("return" in line or "self" in line for line in lines[start:end]):
        return None
    name = f"_{rng.choice(['prepare', 'finish', 'update', 'check'])}_{rng.choice(NEW_NAMES)}"
    body = [f"    {line.strip()}" for line in lines[start:end]]
    call = f"{indent(lines[start])}{name}()"
    return [*lines[:top], f"def {name}():", *body, "", "", *lines[top:start], call, *lines[end:]]


def delete(lines, language, rng):
    """A paragraph goes."""
    blocks = paragraphs(lines)
    if len(blocks) < 3:
        return None
    start, end = rng.choice(blocks)
    return lines[:start] + lines[min(end + 1, len(lines)) :]


def move(lines, language, rng):
    """A paragraph goes elsewhere, between others of its indentation."""
    blocks = paragraphs(lines)
    if len(blocks) < 4:
        return None
    start, end = rng.choice(blocks)
    places = [low for low, _ in blocks if indent(lines[low]) == indent(lines[start]) and not start <= low <= end + 1]
    if not places:
        return None
    to = rng.choice(places)
    block = [*lines[start:end], ""]
    rest = lines[:start] + lines[min(end + 1, len(lines)) :]
    to -= end + 1 - start if to > end else 0
    return rest[:to] + block + rest[to:]


def reorder(lines, language, rng):
    """Two lines that stand one above the other change places."""
    place = statements(lines, rng, 4)
    if place is None or place[1] - place[0] < 2:
        return None
    at = rng.randrange(place[0], place[1] - 1)
    return [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]


EDITS = [rename, add_parameter, add_parameter, wrap, wrap, extract, delete, move, reorder]


def edit(text: str, language: str, rng) -> tuple[str, str] | None:
    """An edited file and what was done, one to four edits; nothing if none could be made."""
    lines = text.splitlines()
    done = []
    for _ in range(rng.choice([1, 2, 2, 3, 4])):
        kind = rng.choice(EDITS)
        changed = kind(lines, language, rng)
        if changed is not None and changed != lines:
            lines = changed
            done.append(kind.__name__.replace("_", " "))
    if not done:
        return None
    return "".join(f"{line}\n" for line in lines), ", ".join(done)
