"""Steps that are done again only where something they read has changed."""

from collections.abc import Callable, Sequence
from pathlib import Path

from android_demo.assembly.files import digest
from android_demo.assembly.places import WORK


def redo(
    step: str,
    work: Callable[[], None],
    *,
    inputs: Sequence[Path],
    outputs: Sequence[Path],
    words: Sequence[str] = (),
    always: bool = False,
) -> bool:
    """Call `work` unless it was done on these very `inputs` and `words`, and its `outputs` are there; whether it was.

    Inputs are files or folders, compared by content. `always`: call it even so, where the
    work does more than make its outputs.
    """
    stamp = WORK / "stamps" / step
    state = digest(inputs, *words)
    if not always and stamp.is_file() and stamp.read_text() == state and all(output.exists() for output in outputs):
        return False
    stamp.unlink(missing_ok=True)
    work()
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(state)
    return True
