"""Forged clips from real ones: another clip's face swapped in, or a clip blended with a copy of itself."""

from core.forgery.blending import Forgery, Method
from core.forgery.clips import self_blended_clip, self_blended_crops, swapped_clip, swapped_crops
from core.forgery.depth import forged_depth, known_forged_depth
from core.forgery.draws import wander
from core.forgery.settings import DEMO, FOOTAGE, PASTED, STRONG, ForgerySettings

__all__ = [
    "DEMO",
    "FOOTAGE",
    "PASTED",
    "STRONG",
    "Forgery",
    "ForgerySettings",
    "Method",
    "forged_depth",
    "known_forged_depth",
    "self_blended_clip",
    "self_blended_crops",
    "swapped_clip",
    "swapped_crops",
    "wander",
]
