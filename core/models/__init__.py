"""Architectures only: no devices, no files, no training, no export."""

from core.models.light import STANDARD, Standard
from core.models.methods import METHODS, TENSORS, Classify, Encode
from core.models.student import STUDENT_SIZES, Student, StudentConfig, StudentSize
from core.models.teacher import Teacher, TeacherConfig
from core.models.views import PALER, Looks

__all__ = [
    "METHODS",
    "PALER",
    "STANDARD",
    "STUDENT_SIZES",
    "TENSORS",
    "Classify",
    "Encode",
    "Looks",
    "Standard",
    "Student",
    "StudentConfig",
    "StudentSize",
    "Teacher",
    "TeacherConfig",
]
