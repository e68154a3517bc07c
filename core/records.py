"""What is known of a prepared video but its pixels: frames, boxes, validity, windows, and what it belongs to."""

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from core.corpus import Split, VideoLabel
from core.preprocess import Box


class Sample(BaseModel):
    """One sampled frame of a video."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: int
    """Place in decode order, counted over every frame of the video."""
    time_ms: float
    face: tuple[float, float, float, float] | None
    """x, y, w, h of the face in pixels of the upright frame; None where none was found."""
    kept: bool
    """Whether a window holds it, so that its crop is stored: only a sample with a face."""
    origin: tuple[float, float] = (0.0, 0.0)
    """x, y of the stored crop's corner in pixels of the frame."""
    depth_valid: bool


class ForgeryRecord(BaseModel):
    """How a fake was made, where it was made here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    visibility: float
    """Mean change inside the mask, in levels of 0-255: the strength by which figures are split."""
    draws: dict[str, float]
    """What was drawn for the clip, as the forgery names it."""


class VideoRecord(BaseModel):
    """All that is known of a prepared video but its pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    """Content hash of the video and of the preparation."""
    content_sha256: str = ""
    """Of the video file's bytes, of a forgery those of the video it was made from; nothing in stores that lack it."""
    path: str
    label: VideoLabel
    identity: str
    source: str = ""
    """Identity whose face a fake shows, where it is known."""
    method: str
    compression: str = ""
    """FaceForensics++'s raw, c23 or c40, and what preparation compressed again first: `c23+libx264-30`."""
    encoding: str = ""
    """What a clip made from a base was encoded with at the end, real or forged: `libx264-23`; drawn for each video."""
    split: Split
    frame_size: tuple[int, int]
    """Width and height of the upright frames, px."""
    samples: tuple[Sample, ...]
    windows: tuple[tuple[int, int], ...]
    """[start, end) over samples; those below the minimum coverage are among them."""
    depth_range: tuple[int, int] | None
    """Smallest and largest depth over the whole clip; None where it has none."""
    forgery: ForgeryRecord | None = None
    """None for a real video, and for a fake that came as one."""

    def box(self, index: int) -> Box:
        """The face of a sample that has one, in pixels of the frame."""
        face = self.samples[index].face
        assert face is not None
        return Box(x=face[0], y=face[1], w=face[2], h=face[3])


def coverage_of(records: Iterable[VideoRecord]) -> float:
    """Share of all samples that show a face; 0 where there is no sample."""
    shown = [sample.face is not None for record in records for sample in record.samples]
    return sum(shown) / len(shown) if shown else 0.0
