"""The student's two methods as modules of their own, for whatever traces a `forward`."""

from torch import Tensor, nn

from core.models.student import Student

TENSORS = {
    "encode": (("frame",), ("rgb_embedding", "depth_embedding", "depth")),
    "classify": (("rgb", "depth", "face_valid", "depth_valid"), ("logits",)),
}
"""Names of the inputs and outputs of each method, in their order."""

METHODS = tuple(TENSORS)


class Encode(nn.Module):
    """`Student.encode` as a module's `forward`."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.views, self.trunk, self.depth_head = student.views, student.trunk, student.depth_head
        self.mean_of_views, self.first_view = student.mean_of_views, student.first_view
        self.encode = student.encode

    def forward(self, frame: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `Student.encode`."""
        return self.encode(frame)


class Classify(nn.Module):
    """`Student.classify` as a module's `forward`."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.fusion = student.fusion

    def forward(self, rgb: Tensor, depth: Tensor, face_valid: Tensor, depth_valid: Tensor) -> Tensor:
        """See `Student.classify`."""
        logits: Tensor = self.fusion(rgb, depth, face_valid, depth_valid)
        return logits
