"""What the report says first: a few figures, and what a reader must know before believing them."""

from dataclasses import dataclass

from benchmarks.kept_programs import METHOD
from benchmarks.results import Results
from benchmarks.row import LEAST_CALLS, LEAST_SECONDS, NOISY
from benchmarks.sheets import frame_ms
from benchmarks.statistics import change
from benchmarks.subject import Subject
from benchmarks.trunk import TRUNK
from benchmarks.wording import anchors, megabytes, milliseconds, times


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A figure, and what it is of."""

    name: str
    figure: str
    detail: str


def headline(results: Results) -> list[Tile]:
    """The ratio to the reference pipeline, or to the teacher where that was not run; then what `detect` costs."""
    subject = results.subject
    tiles = _ratios(results)
    preferred = None if subject is None or subject.preferred is None else subject.preferred
    cost = None if subject is None or preferred is None else frame_ms(results, preferred, subject.hop)
    if subject is not None and preferred is not None and cost is not None:
        encode = results.row(preferred, "encode")
        title = next(f"{one.target} {one.precision}" for one in subject.artifacts if one.path == preferred)
        assert encode is not None
        where = "this machine" if results.device == "host" else encode.device_model or encode.device
        tiles.append(Tile(name="a frame", figure=f"{milliseconds(cost)} ms", detail=f"{title}, on {where}"))
        ratio = anchors(encode.ratio_to_anchor)
        tiles.append(Tile(name="encode, x anchor", figure=ratio, detail="RepViT-M0.9, float32, in the same rounds"))
        alone = results.row(TRUNK, METHOD)
        over = None if alone is None or encode.precision != "int8" else change(alone.rounds, encode.rounds)
        if over is not None:
            tiles.append(
                Tile(
                    name="encode, x its trunk",
                    figure=anchors(over.value),
                    detail="the int8 trunk alone, in the same rounds",
                )
            )
        stream = results.row(preferred, "stream") or encode
        if stream.peak_rss_bytes is not None:
            peak = f"{megabytes(stream.peak_rss_bytes)} MB"
            tiles.append(Tile(name="peak memory", figure=peak, detail="above the process before loading"))
        size = next(one.size_bytes for one in subject.artifacts if one.path == preferred)
        tiles.append(Tile(name="artefact", figure=f"{megabytes(size)} MB", detail="on disk"))
    held = [check for check in results.checks if check.outcome != "elsewhere"]
    if held:
        passed = sum(not check.fails for check in held)
        tiles.append(Tile(name="budgets", figure=f"{passed} of {len(held)}", detail="hold, of those that show here"))
    return tiles


def warnings(results: Results) -> list[str]:
    """Sentences, the gravest first."""
    found = []
    subject = results.subject
    timed = [row for row in results.rows if row.kind == "measured"]
    invalid, noisy = (sum(name in row.doubts for row in timed) for name in ("invalid", "noisy"))
    if subject is not None and not subject.trained:
        found.append("The student was never trained: its times are real and its answers mean nothing.")
    if invalid:
        why = "a quick run" if results.quick else "too few calls"
        found.append(
            f"{invalid} of {len(timed)} rows are invalid ({why}): a valid row has at least {LEAST_CALLS:,} calls and "
            f"{LEAST_SECONDS:g} s."
        )
    if noisy:
        found.append(f"{noisy} of {len(timed)} rows are noisy, p90 over p50 above {NOISY:g}: the machine was busy.")
    if len(timed) < len(results.rows):
        found.append(f"{len(results.rows) - len(timed)} rows were emulated: their outputs count, they have no times.")
    if results.reference is not None and not results.reference.valid:
        found.append("The comparison with the reference is invalid: too few frames of a pipeline were timed.")
    if results.reference is None:
        found.append("The reference pipeline was not run; add --reference to set the student beside it.")
    return found


def _ratios(results: Results) -> list[Tile]:
    reference = results.reference
    if reference is not None:
        whole = _against(reference.reference_ms_per_frame, reference.student_ms_per_frame)
        models = _against(reference.reference_model_ms_per_frame, reference.student_model_ms_per_frame)
        return [
            Tile(name="cheaper than the reference", figure=times(reference.ratio), detail=f"whole frame: {whole}"),
            Tile(name="its models alone", figure=times(reference.model_ratio), detail=models),
        ]
    teacher = None if results.subject is None else _teacher_ratio(results, results.subject)
    return [] if teacher is None else [teacher]


def _teacher_ratio(results: Results, subject: Subject) -> Tile | None:
    if subject.preferred is None:
        return None
    teacher, student = (frame_ms(results, name, subject.hop) for name in ("teacher", subject.preferred))
    if teacher is None or student is None:
        return None
    detail = f"{_against(teacher, student)} a frame, without the teacher's face and depth models"
    return Tile(name="cheaper than the teacher", figure=times(teacher / student), detail=detail)


def _against(dear: float, cheap: float) -> str:
    return f"{milliseconds(dear)} against {milliseconds(cheap)} ms"
