"""The user's cache folder: what takes long to build is kept there between runs."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where it is; it need not exist yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "megatron-mobile"


def keep(ready: Path, folder: Path) -> None:
    """Give a finished folder its name, unless somebody else has made the same in the meantime."""
    try:
        ready.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
