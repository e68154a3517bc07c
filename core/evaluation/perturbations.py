"""What a robustness table perturbs videos with: six kinds, three fixed strengths each, mild to harsh.

A perturbation is carried out on the whole stored crop, before the spec cuts the face out of it, with the boxes found in
the clean video: the table tells what the model loses, not the face detector. What is fixed is the same for every video
and every frame of it; noise has a grain of its own in each frame. Lengths are in pixels of the model's input, so that a
strength means the same for a face of any size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from core.preprocess import PreprocessSpec
from core.records import VideoRecord
from core.seeding import seeded_generator
from core.transforms import Quality, Variant
from core.transforms.variation import Face, photographed, working_factor


@dataclass(frozen=True, kw_only=True)
class Perturbation:
    """One row of the table."""

    kind: str
    strength: int
    """1 to 3."""
    quality: Quality

    @property
    def words(self) -> str:
        """What is done, with units, in the order in which it is done."""
        quality, said = self.quality, []
        if quality.reduction != 1:
            said.append(f"down to {quality.reduction:.0%} of the model's resolution and up again")
        if quality.blur_px:
            said.append(f"Gaussian blur of sigma {quality.blur_px:g} px")
        if quality.noise:
            said.append(f"Gaussian noise of sigma {quality.noise:.0%} of full scale")
        if quality.jpeg_quality is not None:
            said.append(f"JPEG at quality {quality.jpeg_quality}")
        if quality.h264_crf is not None:
            said.append(f"H.264 at crf {quality.h264_crf}")
        return ", ".join(said)

    def applied(self, faces: Sequence[Face], record: VideoRecord, spec: PreprocessSpec, *, seed: int) -> list[Face]:
        """The faces of a stretch of `record`, perturbed; H.264 takes the stretch for one short video.

        What lies outside the frame stays padding.
        """
        factor, scale = working_factor(record, spec)
        grain = int(seeded_generator("perturbation", seed, record.key, self.kind, self.strength).integers(1 << 31))
        variant = Variant(camera=self.quality, grain=grain)
        return photographed(faces, variant, spec, factor * scale)


def _of(kind: str, *qualities: Quality) -> list[Perturbation]:
    return [
        Perturbation(kind=kind, strength=strength, quality=quality) for strength, quality in enumerate(qualities, 1)
    ]


PERTURBATIONS: tuple[Perturbation, ...] = (
    *_of("blur", Quality(blur_px=0.8), Quality(blur_px=1.6), Quality(blur_px=3.2)),
    *_of("noise", Quality(noise=0.02), Quality(noise=0.05), Quality(noise=0.1)),
    *_of("rescale", Quality(reduction=0.5), Quality(reduction=0.25), Quality(reduction=0.15)),
    *_of("jpeg", Quality(jpeg_quality=60), Quality(jpeg_quality=30), Quality(jpeg_quality=10)),
    *_of("h264", Quality(h264_crf=28), Quality(h264_crf=36), Quality(h264_crf=44)),
    *_of(
        "combined",
        Quality(reduction=0.7, blur_px=0.4, noise=0.01, jpeg_quality=75, h264_crf=26),
        Quality(reduction=0.5, blur_px=0.8, noise=0.02, jpeg_quality=55, h264_crf=31),
        Quality(reduction=0.35, blur_px=1.2, noise=0.04, jpeg_quality=35, h264_crf=36),
    ),
)
