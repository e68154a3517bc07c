"""Architectures only: no devices, no files, no training, no export."""

from core.models.methods import METHODS, TENSORS, Classify, Encode
from core.models.student import STUDENT_SIZES, Student, StudentConfig, StudentSize
from core.models.teacher import Teacher, TeacherConfig
from core.models.views import PALER, Looks

__all__ = [
    "METHODS",
    "PALER",
    "STUDENT_SIZES",
    "TENSORS",
    "Classify",
    "Encode",
    "Looks",
    "Student",
    "StudentConfig",
    "StudentSize",
    "Teacher",
    "TeacherConfig",
]
