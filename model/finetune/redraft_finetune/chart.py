"""The chart of a training run: loss on the left axis, held-out accuracy on the right."""

import json
from pathlib import Path

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 360, 60, 60, 40, 50
LOSS, ACCURACY = "#2f6fb0", "#c0562f"


def draw(log: Path, out: Path):
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    losses = smooth([(row["tokens"], row["loss"]) for row in rows if "loss" in row])
    held_out = [(row["tokens"], row["held_out_loss"]) for row in rows if "held_out_loss" in row]
    exact = [(row["tokens"], row["exact"]) for row in rows if "exact" in row]
    if not losses and not held_out:
        return
    most_tokens = max(tokens for tokens, _ in losses + held_out + exact) or 1
    most_loss = max(loss for _, loss in losses + held_out)

    def x(tokens):
        return LEFT + (WIDTH - LEFT - RIGHT) * tokens / most_tokens

    def y(share):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    def line(points, scale, colour, dash=""):
        path = " ".join(f"{x(at):.1f},{y(value / scale):.1f}" for at, value in points)
        return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'

    def text(at_x, at_y, words, anchor="middle", colour="#333"):
        return f'<text x="{at_x:.1f}" y="{at_y:.1f}" text-anchor="{anchor}" fill="{colour}">{words}</text>'

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for step in range(5):
        share = step / 4
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(share)}" y2="{y(share)}" stroke="#ddd"/>')
        parts.append(text(LEFT - 8, y(share) + 4, f"{most_loss * share:.2f}", "end", LOSS))
        parts.append(text(WIDTH - RIGHT + 8, y(share) + 4, f"{100 * share:.0f} %", "start", ACCURACY))
        parts.append(text(x(most_tokens * share), HEIGHT - BOTTOM + 18, f"{most_tokens * share / 1000:.0f}k"))
    parts += [line(losses, most_loss, LOSS), line(held_out, most_loss, LOSS, "5 4"), line(exact, 1, ACCURACY)]
    parts += [f'<circle cx="{x(at):.1f}" cy="{y(value):.1f}" r="3" fill="{ACCURACY}"/>' for at, value in exact]
    parts.append(text(WIDTH / 2, HEIGHT - 12, "tokens trained on"))
    parts.append(text(LEFT, 22, "loss (dashed: held out)", "start", LOSS))
    parts.append(text(WIDTH - RIGHT, 22, "held-out answers right to the token", "end", ACCURACY))
    out.write_text("\n".join([*parts, "</svg>"]) + "\n")


def smooth(points, keep=0.8):
    result, mean = [], None
    for at, value in points:
        mean = value if mean is None else keep * mean + (1 - keep) * value
        result.append((at, mean))
    return result
