"""What a preparation is asked for: part of the key of everything it stores."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.decision import WINDOW
from core.faces import FaceSettings
from core.forgery import PASTED, ForgerySettings
from core.ranges import Whole
from core.recompress import check_codec

Forged = Literal["self_blend", "swap"]


class Recompression(BaseModel):
    """The encoder that every video goes through before anything looks at it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    codec: str = "libx264"
    quality: int = Field(default=28, description="the codec's constant rate factor: larger is worse")

    @model_validator(mode="after")
    def _known(self) -> Self:
        check_codec(self.codec, self.quality)
        return self

    @property
    def name(self) -> str:
        """As a record's `compression` names it."""
        return f"{self.codec}-{self.quality}"


class PrepareSettings(BaseModel):
    """Everything that changes what is stored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frame_rate: float = Field(default=10.0, gt=0, le=240)
    hop: int = Field(default=10, ge=1, le=WINDOW)
    max_windows: int = Field(default=4, ge=1, description="windows kept of a video, evenly spaced")
    crop_margin: float = Field(default=2.6, ge=1, description="stored square over the face box: room for variants")
    padding: int = Field(default=0, ge=0, le=255)
    faces: FaceSettings = FaceSettings()
    recompress: Recompression | None = None
    depth: str = Field(default="beside", description="beside, none, hub, or the folder of a Depth Anything model")
    depth_px: int = Field(default=252, ge=14, multiple_of=14, description="side at which the depth model sees a crop")
    forgeries: tuple[Forged, ...] = Field(default=(), description="made from every real video")
    forgery: ForgerySettings = PASTED
    forged_px: int = Field(default=512, ge=64, description="largest side of a crop where forgeries are made")
    forged_crf: Whole = Field(default=(18, 32), description="H.264 that real and forged clips end with")
    seed: int = 0
