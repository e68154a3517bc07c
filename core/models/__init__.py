"""Architectures only: no devices, no files, no training, no export."""

from core.models.student import Student, StudentConfig
from core.models.teacher import Teacher, TeacherConfig

__all__ = ["Student", "StudentConfig", "Teacher", "TeacherConfig"]
