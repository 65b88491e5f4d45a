#!/usr/bin/env python3
"""Makes `vscode/media/redraft.gif` of the pictures that the test by mouse and keyboard takes.

    node editors/vscode/test/ui.mjs --editors DIR --vsix FILE --out OUT --frames FRAMES
    pip install pillow && python3 editors/recording/vscode.py FRAMES

A picture's name ends with the milliseconds that it is shown.
"""

import pathlib
import sys

from PIL import Image

WIDTH = 960
COLOURS = 64


def main():
    pictures = sorted(pathlib.Path(sys.argv[1]).glob("*.png"))
    frames, durations = [], []
    for picture in pictures:
        image = Image.open(picture).convert("RGB")
        height = image.height * WIDTH // image.width
        frames.append(image.resize((WIDTH, height), Image.Resampling.LANCZOS).quantize(COLOURS, dither=Image.Dither.NONE))
        durations.append(int(picture.stem.rsplit("-", 1)[1]))
    out = pathlib.Path(__file__).resolve().parents[1] / "vscode/media/redraft.gif"
    frames[0].save(out, save_all=True, append_images=frames[1:], duration=durations, loop=0, optimize=True)
    print(f"{out}: {len(frames)} pictures, {out.stat().st_size >> 10} KB")


main()
