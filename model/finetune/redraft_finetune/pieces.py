"""Cuts a file into pieces and puts them together again, for machines that are reached by small parcels only."""

import argparse
import hashlib
from pathlib import Path


def digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def split(path: Path, folder: Path, size: int) -> int:
    """Writes the pieces and, beside them, what the whole is to be."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    with open(path, "rb") as file:
        while piece := file.read(size):
            (folder / f"{path.name}.{count:03}").write_bytes(piece)
            count += 1
    (folder / f"{path.name}.whole").write_text(f"{count} {digest(path)}\n")
    return count


def join(folder: Path, path: Path):
    count, wanted = (folder / f"{path.name}.whole").read_text().split()
    with open(path, "wb") as out:
        out.writelines((folder / f"{path.name}.{number:03}").read_bytes() for number in range(int(count)))
    if digest(path) != wanted:
        path.unlink()
        raise SystemExit(f"the pieces of {path.name} do not make up the file that was cut")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["split", "join"])
    parser.add_argument("file", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mib", type=int, default=56)
    args = parser.parse_args()
    if args.what == "split":
        print(f"{split(args.file, args.folder, args.mib << 20)} pieces")
    else:
        join(args.folder, args.file)


if __name__ == "__main__":
    main()
