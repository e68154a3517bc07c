"""What a preparation is asked for: part of the key of everything it stores."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from core.decision import WINDOW
from core.faces import FaceSettings
from core.forgery import PASTED, ForgerySettings

Forged = Literal["self_blend", "swap"]


class Recompression(BaseModel):
    """The encoder that every video goes through before anything looks at it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    codec: str = "libx264"
    quality: int = Field(default=28, ge=0, le=63, description="the codec's constant rate factor: larger is worse")

    @property
    def name(self) -> str:
        """As a record's `compression` names it."""
        return f"{self.codec}-{self.quality}"


class PrepareSettings(BaseModel):
    """Everything that changes what is stored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frame_rate: float = 10.0
    hop: int = Field(default=10, ge=1, le=WINDOW)
    max_windows: int = Field(default=4, ge=1, description="windows kept of a video, evenly spaced")
    crop_margin: float = Field(default=2.1, description="stored square over the face box; wider than any spec's")
    padding: int = Field(default=0, ge=0, le=255)
    faces: FaceSettings = FaceSettings()
    recompress: Recompression | None = None
    depth: str = Field(default="beside", description="beside, none, hub, or the folder of a Depth Anything model")
    depth_px: int = Field(default=252, ge=14, multiple_of=14, description="side at which the depth model sees a crop")
    forgeries: tuple[Forged, ...] = Field(default=(), description="made from every real video")
    forgery: ForgerySettings = PASTED
    forged_px: int = Field(default=512, ge=64, description="largest side of a crop where forgeries are made")
    forged_crf: tuple[int, int] = Field(default=(18, 32), description="H.264 that real and forged clips end with")
    seed: int = 0
