"""The model card beside the manifest (Mitchell et al., "Model Cards for Model Reporting", 2019), from the same data."""

from collections.abc import Iterator, Sequence

from core.manifest import Artifact, Manifest, Parity
from export.targets import INT8

CARD = "README.md"

_FIGURES = {
    "auc": "AUC by video",
    "frame_auc": "AUC by frame",
    "window_auc": "AUC by window",
    "ap": "average precision",
    "eer": "equal error rate",
    "accuracy": "accuracy at the threshold",
    "ece": "expected calibration error",
    "videos_real": "real videos",
    "videos_fake": "fake videos",
    "undecided": "undecided videos",
}

_DATA = {
    "demo": "synthetic people, all made of one portrait: it shows that the line works, and nothing about real videos",
    "clips": "a few real people before a few cameras, with self-blended and swapped faces made from them",
    "faceforensics": "FaceForensics++, or a corpus laid out like it",
}


def model_card(manifest: Manifest) -> str:
    """Markdown, from the manifest alone."""
    parts = [
        f"# {manifest.name}",
        "Tells from the face in a video whether it was manipulated: `encode` runs once for each frame, `classify` on "
        "the last 20. Small enough to run live on a phone.",
        *_warning(manifest),
        "## Accuracy",
        *_accuracy(manifest),
        "## Artefacts",
        "\n".join(_artefacts(manifest.artifacts)),
        *_rejected(manifest),
        "## How to run it",
        "\n".join(_contract(manifest)),
        "## Intended use",
        "Help for a person who has to judge a video: a hint with a probability and a coverage, on the device, without "
        "the video leaving it. Not evidence, and not to be the only ground of a decision about anyone.",
        "## Limits",
        "\n".join(_limits(manifest)),
        "## Licence",
        "Code and architecture: Apache-2.0. Weights learned from a corpus are bound by that corpus's terms too.",
    ]
    return "\n\n".join(parts) + "\n"


def _warning(manifest: Manifest) -> Iterator[str]:
    if not manifest.trained:
        yield "**Untrained: random weights, to measure speed and size with. Its answers mean nothing.**"


def _accuracy(manifest: Manifest) -> Iterator[str]:
    if manifest.metrics is None:
        yield "None: this program was never trained."
        return
    data = _DATA.get(manifest.source.recipe, "the corpus of its run")
    yield f"On people it never saw in training, of the run's own corpus ({data}):"
    columns = [(role, sides["test"]) for role, sides in manifest.metrics.items() if "test" in sides]
    lines = ["| | " + " | ".join(role for role, _ in columns) + " |", "|---|" + "---:|" * len(columns)]
    for key, words in _FIGURES.items():
        values = [figures.get(key) for _, figures in columns]
        if any(value is not None for value in values):
            lines.append(f"| {words} | " + " | ".join(map(_number, values)) + " |")
    yield "\n".join(lines)


def _artefacts(rows: Sequence[Artifact]) -> Iterator[str]:
    yield "| file | precision | MB | checked by | cases | least cosine | largest error | verdicts agree | AUC |"
    yield "|---|---|---:|---|---:|---:|---:|---:|---:|"
    for row in rows:
        checked = {"runtime": f"{row.runtime.name} {row.runtime.version}", "reference": "reference interpreter"}
        cells = (
            f"`{row.path}`",
            row.precision,
            f"{row.size_bytes / 1e6:.1f}",
            checked.get(row.verified, "built only, not executed"),
            *parity_figures(row.parity),
            "-" if row.accuracy is None else _number(row.accuracy.auc),
        )
        yield "| " + " | ".join(cells) + " |"


def parity_figures(parity: Parity | None) -> tuple[str, str, str, str]:
    """Cases, cosine, largest absolute error and agreement, as tables show them."""
    if parity is None:
        return "-", "-", "-", "-"
    agreement = "-" if parity.agreement is None else f"{parity.agreement:.0%}"
    return str(parity.cases), f"{parity.cosine:.5f}", f"{parity.max_abs:.2g}", agreement


def _rejected(manifest: Manifest) -> Iterator[str]:
    if manifest.rejected:
        rows = (f"- {row.target} {row.precision}: {row.reason}" for row in manifest.rejected)
        yield "Tried and not kept:\n\n" + "\n".join(rows)


def _contract(manifest: Manifest) -> Iterator[str]:
    spec, decision = manifest.preprocess, manifest.decision
    yield (
        f"- Input: a square of {spec.margin:g} times the longer side of the face box, scaled to {spec.size} px a side; "
        "RGB from 0 to 255, normalisation is inside."
    )
    yield f"- {decision.frame_rate:g} frames a second, windows of 20, a new one every {decision.hop}."
    yield (
        f"- Fake at a probability of {decision.threshold:.3f} or more, at temperature {decision.temperature:.3f}; "
        f"undecided where fewer than {decision.min_coverage:.0%} of the frames show a face."
    )
    if manifest.golden is not None:
        yield f"- `{manifest.golden}/` holds inputs and outputs that every reader must reproduce."


def _limits(manifest: Manifest) -> Iterator[str]:
    yield "- It knows the manipulations of its training. Others, and cameras unlike those it saw, it may judge wrongly."
    yield "- Accuracy was not measured by age, sex or skin colour: nothing is claimed about any group."
    yield "- Strong compression, small faces and filters lower its accuracy: see `python -m core evaluate --perturb`."
    for row in manifest.artifacts:
        odd = None if row.parity is None else row.parity.odd_cosine
        if odd is not None and odd < INT8.least_cosine:
            yield (
                f"- The ranges of `{row.path}` are those of faces: on noise, black, white and a ramp an embedding's "
                f"least cosine with the torch student's is {odd:.3f}."
            )
    if not manifest.depth_trained:
        yield "- Its depth head was not taught: the depth stream stays silent (`depth_trained` is false)."


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
