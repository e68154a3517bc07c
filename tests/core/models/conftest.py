"""Students of every size and the teacher, with statistics as after training; pictures to show them."""

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.models import STUDENT_SIZES, Student, StudentConfig, StudentSize, Teacher, TeacherConfig

Classifier = Student | Teacher


@pytest.fixture(scope="module")
def student() -> Student:
    torch.manual_seed(0)
    model = Student(StudentConfig()).eval()
    randomise_statistics(model)
    return model


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    torch.manual_seed(1)
    model = Teacher(TeacherConfig()).eval()
    randomise_statistics(model)
    return model


@pytest.fixture(scope="module")
def students(student: Student) -> dict[StudentSize, Student]:
    """One of every size."""
    torch.manual_seed(2)
    models = {size: student if size == "m0_9" else Student(config).eval() for size, config in STUDENT_SIZES.items()}
    for size in set(models) - {"m0_9"}:
        randomise_statistics(models[size])
    return models


@pytest.fixture(scope="module", params=[*STUDENT_SIZES, "teacher"])
def classifier(request: pytest.FixtureRequest, students: dict[StudentSize, Student], teacher: Teacher) -> Classifier:
    """Every student (RMSNorm, narrow) and the teacher (LayerNorm, width 384)."""
    return teacher if request.param == "teacher" else students[request.param]


@pytest.fixture(params=STUDENT_SIZES)
def sized(request: pytest.FixtureRequest, students: dict[StudentSize, Student]) -> Student:
    """The student of each size."""
    return students[request.param]


@pytest.fixture(autouse=True)
def without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def randomise_statistics(model: nn.Module) -> None:
    """Make batch-norms what they are after training: no two channels alike."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)


def relative_error(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


def pictures(count: int, size: int) -> Tensor:
    """float32 [count, 3, size, size], 0-255."""
    coarse = torch.rand(count, 3, 9, 9, generator=torch.Generator().manual_seed(size))
    return F.interpolate(coarse, size=(size, size), mode="bilinear") * 255
