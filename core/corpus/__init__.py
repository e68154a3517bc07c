"""Which videos a folder holds: their labels, identities, methods and sides of the split."""

from core.corpus.entries import SPLITS, VIDEO_SUFFIXES, Entry, Split, VideoLabel, counted, refuse_absent, videos_in
from core.corpus.folders import COLUMNS, INDEX
from core.corpus.reading import Corpus, read_corpus

__all__ = [
    "COLUMNS",
    "INDEX",
    "SPLITS",
    "VIDEO_SUFFIXES",
    "Corpus",
    "Entry",
    "Split",
    "VideoLabel",
    "counted",
    "read_corpus",
    "refuse_absent",
    "videos_in",
]
