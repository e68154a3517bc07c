"""Which videos a run has seen: figures over what a model was trained on would say nothing.

`data.json` of a run lists the videos that it was trained, validated and tested on, by what is in them: a video keeps
its content when a corpus is moved, renamed or divided anew.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from core.corpus import Split, counted
from core.errors import InputError, first_fault
from core.evaluation.subject import Subject
from core.records import VideoRecord

DATA = "data.json"


class TrainedVideo(BaseModel):
    """One video of `data.json`."""

    path: str
    identity: str
    split: Split
    content_sha256: str


class TrainingData(BaseModel):
    """`data.json` of a run, as far as it is read here."""

    videos: tuple[TrainedVideo, ...]


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What no figure counts because the run has seen it."""

    checked: bool
    """Whether it is known what the run has seen, and all that is judged could be compared with that."""
    because: str
    """Why it could not, or was not; otherwise nothing."""
    records: tuple[VideoRecord, ...] = ()
    """Clips of a video that the run has seen."""
    lent: tuple[VideoRecord, ...] = ()
    """Clips of other videos, into which a face of such a video was swapped."""

    @property
    def keys(self) -> set[str]:
        """Of all clips that are left out."""
        return {record.key for record in (*self.records, *self.lent)}

    @property
    def videos(self) -> list[str]:
        """The paths of the video files that the run has seen: several clips may be made of one."""
        return sorted({record.path for record in self.records})

    def text(self) -> str:
        """For a person, in a line."""
        said = [self.because] if self.because else []
        if self.records:
            clips = "" if len(self.records) == len(self.videos) else f" ({counted(len(self.records), 'clip')})"
            count, pronoun = counted(len(self.videos), "video"), "it" if len(self.videos) == 1 else "them"
            said.append(f"{count}{clips} left out: the run was trained or validated on {pronoun}")
        if self.lent:
            shows = "it shows" if len(self.lent) == 1 else "they show"
            said.append(f"{counted(len(self.lent), 'swap')} left out: {shows} a face that the run was trained on")
        return "; ".join(said) or "no video left out: the run has seen none of them"


def left_out_of(records: Sequence[VideoRecord], subject: Subject, *, side: str | None) -> LeftOut:
    """Those of `records` that the subject's run was trained or validated on; none where that `side` was asked for.

    By their content, which a forgery made here shares with the video that it was made from; and where such a forgery
    shows a face that a video so left out has lent it. InputError where the run's `data.json` is damaged.
    """
    if side in ("train", "val"):
        return LeftOut(
            checked=False, because=f"no video left out: --split {side} asks for those that the model has seen"
        )
    reason = _unknown(subject)
    if reason:
        return LeftOut(checked=False, because=f"not checked for videos that the model has seen: {reason}")
    assert subject.run is not None
    seen = {video.content_sha256 for video in _read(subject.run / DATA).videos if video.split != "test"} - {""}
    own = [record for record in records if record.content_sha256 in seen]
    people = {record.identity for record in own}
    lent = [r for r in records if r.content_sha256 not in seen and r.forgery is not None and r.source in people]
    unknown = sum(not record.content_sha256 for record in records)
    because = f"{counted(unknown, 'clip')} not checked: the store does not name the video" if unknown else ""
    return LeftOut(checked=not unknown, because=because, records=tuple(own), lent=tuple(lent))


def _unknown(subject: Subject) -> str:
    """Why it is not known what the subject has seen; nothing where it is."""
    if subject.run is None:
        return "its manifest names no run"
    # A page is shown elsewhere, so it says which run and not where.
    name = subject.run.name
    if not subject.run.is_dir():
        return f"its run {name} is not where it was when it was exported"
    if not (subject.run / DATA).is_file():
        return f"the run {name} has no {DATA}; train it again to have one"
    if subject.kind == "artifact" and _weights_of(subject.run) != subject.weights_sha256:
        return f"the run {name} holds other weights by now"
    return ""


def _weights_of(run: Path) -> str:
    """The digest in `student.json`, nothing where there is none: loading the weights would take seconds."""
    try:
        document = json.loads((run / "student.json").read_bytes())
    except (OSError, ValueError):
        return ""
    return str(document.get("weights_sha256", "")) if isinstance(document, dict) else ""


def _read(file: Path) -> TrainingData:
    try:
        return TrainingData.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise InputError(f"{file}: {first_fault(error)}; train the run again") from error
