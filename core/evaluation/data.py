"""What is judged: a corpus, prepared with every window that its videos have, or a store as it is."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.command_line import progress, say
from core.corpus import SPLITS, Corpus, Split, read_corpus, refuse_absent
from core.decision import Decision
from core.errors import InputError
from core.evaluation.subject import Subject
from core.prepare import FAILURES, Forged, PrepareSettings, prepare
from core.records import VideoRecord
from core.store import DATA, ClipStore

ALL = "all"
SIDES = ("test", "val", "train", ALL)

EVERY_WINDOW = 1000
"""Of a video: more than a quarter of an hour at the usual rate and hop."""

FORGERIES: tuple[Forged, ...] = ("self_blend", "swap")
CROP_MARGIN = 2.0
"""Enough for the face of any recipe and for what a perturbation does around it; forging needs what `prepare` keeps."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the user named."""

    corpus: Path
    store: Path | None
    split: str | None
    forge: bool
    methods: tuple[str, ...]
    compressions: tuple[str, ...]
    workers: int | None

    @property
    def is_store(self) -> bool:
        """Whether the corpus is prepared already."""
        return (self.corpus / DATA).is_file()


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """A store, and which of it is to be judged."""

    store: Path
    side: str
    """One of `SIDES`."""
    identities_from: str | None
    """None where a store does not say."""
    notes: tuple[str, ...]
    failures: dict[str, str]
    """Videos that could not be prepared: the reason by path."""


def read_choice(choice: Choice) -> Corpus | None:
    """The corpus of a choice, one side of it; None for a store. InputError for what contradicts itself or is not there.

    Where no side is named, it is the test side of a corpus that gives one, otherwise everything.
    """
    if choice.split is not None and choice.split not in SIDES:
        raise InputError(f"--split {choice.split}: allowed are {', '.join(SIDES)}")
    if choice.is_store:
        given = [option for option, is_given in (("--store", choice.store), ("--forge", choice.forge)) if is_given]
        if given:
            raise InputError(
                f"{' and '.join(given)}: {choice.corpus} is a store already; give a corpus, or leave it out"
            )
        return None
    corpus = read_corpus(
        choice.corpus,
        real_only=choice.forge,
        undivided=True,
        methods=choice.methods,
        compressions=choice.compressions,
    )
    if not corpus.gives_sides and choice.split not in (None, ALL):
        raise InputError(
            f"--split {choice.split}: {choice.corpus} gives no split; leave --split out to judge all of it, "
            "or judge the store that a run was trained from"
        )
    side = _side(choice, corpus)
    chosen = tuple(entry for entry in corpus.entries if side in (ALL, entry.split))
    if not chosen:
        raise _nothing(choice.corpus, side, {entry.split for entry in corpus.entries})
    if choice.forge and not any(entry.label == "real" for entry in chosen):
        raise InputError(f"--forge: {choice.corpus} has no real video to forge; leave --forge out")
    return replace(corpus, entries=chosen)


def gather(choice: Choice, corpus: Corpus | None, subject: Subject) -> Gathered:
    """Prepare what is not prepared yet, as `subject` samples videos. InputError where a store was begun otherwise."""
    if corpus is None:
        failures = choice.corpus / FAILURES
        return Gathered(
            store=choice.corpus,
            side=choice.split or "test",
            identities_from=None,
            notes=(),
            failures=json.loads(failures.read_bytes()) if failures.is_file() else {},
        )
    store = choice.store or _default_store(choice, _side(choice, corpus))
    margin = max(subject.spec.margin, PrepareSettings().crop_margin if choice.forge else CROP_MARGIN)
    settings = PrepareSettings(
        frame_rate=subject.decision.frame_rate,
        hop=subject.decision.hop,
        max_windows=EVERY_WINDOW,
        crop_margin=margin,
        # The student sees RGB alone.
        depth="none",
        forgeries=FORGERIES if choice.forge else (),
    )
    with progress(f"prepare {choice.corpus}") as report:
        summary = prepare(corpus, store, settings, workers=choice.workers, on_progress=report)
    say(summary.text(store))
    return Gathered(
        store=store,
        side=_side(choice, corpus),
        identities_from=corpus.identities_from,
        notes=corpus.notes,
        failures=summary.failures,
    )


def chosen_records(store: ClipStore, choice: Choice, gathered: Gathered, decision: Decision) -> list[VideoRecord]:
    """The clips of the store that are to be judged. InputError where there are none or they were sampled otherwise."""
    records = store.records()
    if not choice.is_store:
        return records
    settings = store.settings()
    for name, wanted in (("frame_rate", decision.frame_rate), ("hop", decision.hop)):
        found = settings.get(name, wanted)
        if found != wanted:
            raise InputError(
                f"{store.folder}: prepared with {name} {found}, the model decides at {wanted}; give the corpus instead"
            )
    fakes = [record for record in records if record.label == "fake"]
    refuse_absent("--methods", choice.methods, {record.method for record in fakes}, str(store.folder))
    refuse_absent("--compressions", choice.compressions, {r.compression for r in records} - {""}, str(store.folder))
    chosen = [
        record
        for record in records
        if gathered.side in (ALL, record.split)
        and (record.label == "real" or not choice.methods or record.method in choice.methods)
        and (not choice.compressions or record.compression in choice.compressions)
    ]
    if not chosen:
        raise _nothing(choice.corpus, gathered.side, {record.split for record in records})
    return chosen


def _side(choice: Choice, corpus: Corpus) -> str:
    return choice.split or ("test" if corpus.gives_sides else ALL)


def _nothing(corpus: Path, side: str, there: set[Split]) -> InputError:
    sides = ", ".join(split for split in SPLITS if split in there) or "nothing"
    return InputError(f"{corpus}: no {side} video in it, there is {sides}; name a side with --split, or --split {ALL}")


def _default_store(choice: Choice, side: str) -> Path:
    """A store of its own for every choice: one store holds one choice of a corpus."""
    parts: Sequence[str] = (
        "evaluate",
        choice.corpus.resolve().name,
        *(() if side == ALL else (side,)),
        *choice.methods,
        *choice.compressions,
        *(("forged",) if choice.forge else ()),
    )
    return Path("stores") / re.sub(r"[^\w.+-]+", "_", "-".join(parts))
