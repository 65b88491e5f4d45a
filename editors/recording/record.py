#!/usr/bin/env python3
"""Records real commands in a real terminal of 100 columns and writes them as an animated SVG.

    pip install pyte
    python3 editors/recording/record.py OUT.svg 'COMMAND' ['COMMAND' ...]

Each command runs in a shell on a pseudo-terminal, in the current folder. What it prints is fed to a terminal emulator
(pyte), and every distinct screen becomes a frame that is shown for as long as it stood. Nothing is cut or sped up; only
the pause after the last command is ours. A viewer that plays no animations shows the last screen.
"""

import os
import pty
import select
import sys
import time
from html import escape

import pyte

COLUMNS, ROWS = 100, 44
# Frames closer together than this are one frame; a progress line is not worth more.
SHORTEST = 0.12
HOLD = 8.0
WIDTH, HEIGHT, MARGIN = 8.43, 18, 14
COLOURS = {
    "default": "#d0d7de", "black": "#6e7781", "red": "#ff7b72", "green": "#7ee787", "brown": "#e3b341",
    "blue": "#79c0ff", "magenta": "#d2a8ff", "cyan": "#56d4dd", "white": "#ffffff",
}


def run(command, screen, stream, frames, began):
    """Runs one command on a pseudo-terminal and notes each screen with the time at which it stood."""
    stream.feed(f"\x1b[1;32m$\x1b[0m \x1b[1m{command}\x1b[0m\r\n")
    note(screen, frames, began)
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS=str(COLUMNS), LINES=str(ROWS))
        os.execvp("bash", ["bash", "-c", f"stty rows {ROWS} cols {COLUMNS}; {command}"])
    while True:
        ready, _, _ = select.select([terminal], [], [], 1.0)
        if not ready:
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break
        if not data:
            break
        stream.feed(data.decode("utf-8", "replace"))
        note(screen, frames, began)
    _, status = os.waitpid(child, 0)
    stream.feed("\r\n")
    note(screen, frames, began)
    return os.waitstatus_to_exitcode(status)


def note(screen, frames, began):
    """Appends the screen as it is now, in place of the last one if that stood too short to be seen."""
    now = time.monotonic() - began
    if frames and now - frames[-1][0] < SHORTEST and len(frames) > 1:
        frames[-1] = (frames[-1][0], lines(screen))
    else:
        frames.append((now, lines(screen)))


def lines(screen):
    """The screen's lines as runs of equal style: (column, text, colour, bold)."""
    result = []
    for row in range(ROWS):
        cells, runs = screen.buffer[row], []
        for column in range(COLUMNS):
            cell = cells[column]
            style = (cell.fg, cell.bold)
            if runs and runs[-1][2:] == style:
                runs[-1] = (runs[-1][0], runs[-1][1] + cell.data, *style)
            else:
                runs.append((column, cell.data, *style))
        result.append(tuple(run for run in runs if run[1].strip()))
    while result and not result[-1]:
        result.pop()
    return tuple(result)


def colour(name):
    """An ANSI colour by pyte's name, or a hex value of the 256-colour cube."""
    plain = name.removeprefix("bright")
    return COLOURS.get(plain) or (f"#{name}" if len(name) == 6 else COLOURS["default"])


def span(run):
    """One run of a line."""
    column, text, fg, bold = run
    weight = ' font-weight="700"' if bold else ""
    shown = text.strip()
    column += len(text) - len(text.lstrip())
    # Spaces that do not collapse, and a width of our own: it looks right in any font.
    place = f'x="{column * WIDTH:.1f}" textLength="{len(shown) * WIDTH:.1f}" lengthAdjust="spacingAndGlyphs"'
    return f'<tspan {place} fill="{colour(fg)}"{weight}>{escape(shown).replace(" ", chr(160))}</tspan>'


def svg(frames):
    """The frames as one SVG; lines that occur in several frames are written once."""
    total = frames[-1][0] + HOLD
    height = max(len(screen) for _, screen in frames) * HEIGHT + 2 * MARGIN
    width = COLUMNS * WIDTH + 2 * MARGIN
    names, defs, body, style = {}, [], [], []
    for number, (start, screen) in enumerate(frames):
        end = frames[number + 1][0] if number + 1 < len(frames) else total
        uses = []
        for row, runs in enumerate(screen):
            if not runs:
                continue
            if runs not in names:
                names[runs] = f"l{len(names)}"
                defs.append(f'<text id="{names[runs]}">{"".join(map(span, runs))}</text>')
            uses.append(f'<use href="#{names[runs]}" y="{(row + 1) * HEIGHT - 4}"/>')
        last = number + 1 == len(frames)
        body.append(f'<g class="{"last" if last else "frame"}" id="f{number}">{"".join(uses)}</g>')
        on, off = 100 * start / total, 100 * end / total
        before = "0%{visibility:hidden}" if start > 0 else ""
        after = "" if last else f"{off:.3f}%{{visibility:hidden}}"
        style.append(
            f"@keyframes k{number}{{{before}{on:.3f}%{{visibility:visible}}{after}100%"
            f"{{visibility:{'visible' if last else 'hidden'}}}}}"
            f"#f{number}{{animation:k{number} {total:.2f}s step-end infinite}}"
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}">\n'
        f"<style>text{{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}}"
        f".frame{{visibility:hidden}}\n@media (prefers-reduced-motion:no-preference){{\n{chr(10).join(style)}\n}}</style>\n"
        f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>\n<defs>\n{chr(10).join(defs)}\n</defs>\n'
        f'<g transform="translate({MARGIN} {MARGIN})">\n{chr(10).join(body)}\n</g>\n</svg>\n'
    )


def main():
    out, commands = sys.argv[1], sys.argv[2:]
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.Stream(screen)
    frames, began = [], time.monotonic()
    for command in commands:
        status = run(command, screen, stream, frames, began)
        if status != 0:
            sys.exit(f"{command!r} ended with status {status}; nothing was written")
    with open(out, "w", encoding="utf-8") as file:
        file.write(svg(frames))
    print(f"{out}: {len(frames)} frames, {frames[-1][0]:.1f} s")


if __name__ == "__main__":
    main()
