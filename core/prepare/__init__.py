"""From a corpus of videos to a store of clips: decoded once, faces followed, crops cut, forgeries made."""

from core.prepare.preparation import FAILURES, SHELVES, Summary, fingerprint, prepare
from core.prepare.settings import Forged, PrepareSettings, Recompression

__all__ = [
    "FAILURES",
    "SHELVES",
    "Forged",
    "PrepareSettings",
    "Recompression",
    "Summary",
    "fingerprint",
    "prepare",
]
