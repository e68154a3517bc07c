"""The student and the teacher in torch itself, eager and compiled: what the exported programs are compared with."""

import warnings
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import torch

from benchmarks.candidates import THREADS, Candidate, timed
from benchmarks.cases import cases_of, random_values
from benchmarks.measure import PythonCalls
from core.command_line import say
from core.errors import InputError
from core.manifest import Manifest
from core.models import Student
from core.products import PRODUCTS
from core.runs import read_student, read_teacher

MISSING = {"memory": "this process holds other models as well", "cold_load_ms": "its weights are read with the run's"}


def of_student(
    folder: Path, manifest: Manifest, student: Student, note: str | None, *, compiled: bool
) -> Iterator[Candidate]:
    """What `student_of` found, eager; `compiled` by torch's own compiler too, where that works."""
    torch.set_num_threads(THREADS)
    for method in ("encode", "classify"):
        call = getattr(student, method)
        inputs = [[torch.from_numpy(x) for x in case.inputs] for case in cases_of(folder, manifest, method)]
        yield _candidate("student", method, "eager", _over(call, inputs), note)
        if compiled:
            say(f"torch.compile of {method}: a minute or two")
            over = _over(torch.compile(call, dynamic=False), inputs)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    yield _candidate("student", method, "inductor", over, note)
            # Whatever the compiler meets, from a missing g++ to an operator: the rest of the run goes on without it.
            except Exception as error:
                say(f"torch.compile of {method}: not measured, {str(error).strip().splitlines()[0]}")


def of_teacher(manifest: Manifest) -> Iterator[Candidate]:
    """The teacher's models: both trunks on a frame, and the fusion over a window; nothing without its run."""
    run = None if manifest.source.run is None else Path(manifest.source.run)
    if run is None or not (run / "teacher.json").is_file():
        return
    torch.set_num_threads(THREADS)
    teacher = read_teacher(run)[0]
    size = manifest.preprocess.size
    frame, depth = (torch.from_numpy(random_values((1, planes, size, size), planes)) for planes in (3, 1))
    classify = manifest.method("classify")
    window = [torch.from_numpy(random_values(tensor.shape, 2)) for tensor in classify.inputs[:2]]
    masks = [torch.ones(tensor.shape) for tensor in classify.inputs[2:]]

    def encode(frame: torch.Tensor, depth: torch.Tensor) -> object:
        return teacher.encode_rgb(frame), teacher.encode_depth(depth)

    yield _candidate("teacher", "encode", "eager", _over(encode, [[frame, depth]]), None)
    yield _candidate("teacher", "classify", "eager", _over(teacher.classify, [[*window, *masks]]), None)


def student_of(manifest: Manifest) -> tuple[Student | None, str | None]:
    """The fused student in `eval()` mode, and what is to be said of it: why there is none, or whose weights it has."""
    run = None if manifest.source.run is None else Path(manifest.source.run)
    if run is not None and (run / "student.json").is_file():
        try:
            student, document = read_student(run)
        except InputError as error:
            return None, str(error)
        if not document.fused:
            student.fuse()
        return student, None
    if manifest.source.recipe not in PRODUCTS:
        return None, f"its run is not at hand and the recipe {manifest.source.recipe} is none of ours"
    torch.manual_seed(0)
    student = Student(PRODUCTS[manifest.source.recipe].student).eval()
    student.fuse()
    return student, "random weights, which change no time"


def _over(call: Callable[..., Any], inputs: list[list[torch.Tensor]]) -> Callable[[], object]:
    turns = cycle(inputs)

    @torch.inference_mode()
    def one() -> object:
        return call(*next(turns))

    return one


def _candidate(artifact: str, method: str, delegate: str, call: Callable[[], object], note: str | None) -> Candidate:
    return Candidate(
        artifact=artifact,
        method=method,
        sha256=None,
        runtime="torch",
        runtime_version=str(torch.__version__),
        delegate=delegate,
        precision="fp32",
        timed=PythonCalls(call),
        cold_load_ms=None,
        first_call_ms=timed(call)[1],
        memory=lambda: None,
        note=note,
        missing=MISSING,
    )
