"""Files that are written whole, and only where something changed."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from core.manifest import sha256_of


def write_if_new(path: Path, content: str) -> bool:
    """Write `content` unless it stands there already; whether it was written."""
    if path.is_file() and path.read_text() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    pending = path.with_name(f".{path.name}.partial")
    pending.write_text(content)
    os.replace(pending, path)
    return True


def digest(paths: Iterable[Path], *words: str) -> str:
    """Hex digest over files, and those below folders, by name and content, and over `words`."""
    found = hashlib.sha256("\n".join(words).encode())
    for path in paths:
        files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
        for file in files:
            found.update(f"\n{file} {sha256_of(file)}".encode())
    return found.hexdigest()
