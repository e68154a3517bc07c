"""Base of every part of the documents that `python -m benchmarks` writes and reads."""

from pydantic import BaseModel, ConfigDict

Interval = tuple[float, float]
"""95 %: low end, high end."""


class Document(BaseModel):
    """Unknown keys are refused, values do not change, and no number is NaN or infinite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
