"""Parity: an artefact against the torch student on the same inputs. It has no off switch."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from core.decision import WINDOW, Decision
from core.manifest import Accuracy, Parity
from core.metrics import auc
from core.runtimes import Array, Runtime, as_float32, cosine
from core.runtimes.torch import TorchRuntime
from export.golden import demo_crops
from export.source import Source
from export.targets import AGREEMENT, DEPTH_COSINE, UNDECIDABLE, Variant

RUN_CROPS = 16
MASK_WINDOWS = 24
"""With the demo's faces and the odd pictures more than 32 cases, however little the run kept."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What the comparison found."""

    parity: Parity
    accuracy: Accuracy | None
    auc_lost: float | None
    """AUC of the torch student on the same windows less the artefact's; None without windows of both classes."""
    worst_relative: float
    """Largest absolute error of an output over max(1, largest absolute value of its reference)."""
    classify_error: float
    """The same over the logits of the reference's own embeddings, under every kind of mask."""
    depth_cosine: float
    """Smallest of a depth map with the reference's, over faces."""
    probability_difference: float
    """Largest over the validation windows; 0 without any."""

    def broken(self, variant: Variant) -> str | None:
        """The first limit of `variant` that does not hold, in words; None where all hold."""
        parity, limits = self.parity, variant.limits
        if not np.isfinite(parity.max_abs):
            return "an output is not finite"
        if parity.cosine < limits.least_cosine:
            return f"cosine {parity.cosine:.5f} of an embedding is below {limits.least_cosine}"
        if self.depth_cosine < DEPTH_COSINE:
            return f"cosine {self.depth_cosine:.5f} of a depth map is below {DEPTH_COSINE}"
        odd = parity.odd_cosine
        if not limits.ranges_are_fixed and odd is not None and odd < limits.least_cosine:
            return f"cosine {odd:.5f} of an embedding of an odd picture is below {limits.least_cosine}"
        if limits.most_error is not None and self.worst_relative > limits.most_error:
            return f"relative error {self.worst_relative:.2g} is above {limits.most_error:g}"
        if self.classify_error > limits.logit_error:
            return f"relative error {self.classify_error:.2g} of the logits is above {limits.logit_error:g}"
        if parity.agreement is None:
            return None
        if self.probability_difference > limits.probability_difference:
            most = limits.probability_difference
            return f"a probability differs by {self.probability_difference:.3f}, more than {most}"
        if parity.agreement < AGREEMENT:
            return f"{parity.agreement:.1%} of the verdicts agree, fewer than {AGREEMENT:.0%}"
        return None

    def broken_by_rounding(self, variant: Variant) -> bool:
        """Whether more of `encode` in float32 may mend what is broken: `classify` is float32 as it is."""
        return self.broken(variant) is not None and self.classify_error <= variant.limits.logit_error


def compare(source: Source, candidate: Runtime) -> Comparison:
    """Run `candidate` beside torch on crops, odd pictures, every kind of mask, and the validation windows."""
    reference = TorchRuntime(source.student)
    shown, masks = faces(source), _masks()
    encode, classify, odd, depth = _Worst(), _Worst(), _Worst(), _Worst()
    embeddings = []
    frames = [*shown, *_odd_pictures(source.preprocess.size)]
    for place, frame in enumerate(frames):
        wanted, got = reference.run("encode", frame), candidate.run("encode", frame)
        encode.see(wanted, got)
        # int8 ranges are those of faces: what no camera gives has a figure of its own.
        (encode if place < len(shown) else odd).see_cosine(wanted[:2], got[:2])
        if place < len(shown):
            depth.see_cosine(wanted[2:], got[2:])
        embeddings.append(wanted[:2])
    for window, (face_valid, depth_valid) in enumerate(masks):
        rows = [embeddings[(window + slot) % len(embeddings)] for slot in range(WINDOW)]
        inputs = (
            np.stack([rgb[0] for rgb, _ in rows])[np.newaxis],
            np.stack([depth[0] for _, depth in rows])[np.newaxis],
            face_valid,
            depth_valid,
        )
        classify.see(reference.run("classify", *inputs), candidate.run("classify", *inputs))
    wanted_logits, got_logits = _window_logits(source, reference), _window_logits(source, candidate)
    agreement, difference = _agreement(source.decision, wanted_logits, got_logits)
    parity = Parity(
        cases=len(frames) + len(masks) + len(source.windows),
        max_abs=max(encode.absolute, classify.absolute),
        cosine=encode.cosine,
        agreement=agreement,
        odd_cosine=odd.cosine,
    )
    wanted_auc, got_auc = (_auc(source, logits) for logits in (wanted_logits, got_logits))
    return Comparison(
        parity=parity,
        accuracy=None if agreement is None else Accuracy(auc=got_auc, agreement=agreement),
        auc_lost=None if wanted_auc is None or got_auc is None else wanted_auc - got_auc,
        worst_relative=max(encode.relative, classify.relative),
        classify_error=classify.relative,
        depth_cosine=depth.cosine,
        probability_difference=difference,
    )


class _Worst:
    """The largest differences seen so far."""

    def __init__(self) -> None:
        self.absolute = 0.0
        self.relative = 0.0
        self.cosine = 1.0

    def see(self, wanted: tuple[Array, ...], got: tuple[Array, ...]) -> None:
        for reference, output in zip(wanted, got, strict=True):
            assert reference.shape == output.shape, f"{output.shape} instead of {reference.shape}"
            error = float(np.abs(reference - output).max())
            # A NaN compares false with everything: it must not pass for a small error.
            error = error if np.isfinite(error) else float("inf")
            self.absolute = max(self.absolute, error)
            self.relative = max(self.relative, error / max(1.0, float(np.abs(reference).max())))

    def see_cosine(self, wanted: tuple[Array, ...], got: tuple[Array, ...]) -> None:
        for reference, output in zip(wanted, got, strict=True):
            found = cosine(reference, output)
            self.cosine = min(self.cosine, found if math.isfinite(found) else 0.0)


def faces(source: Source) -> list[Array]:
    """Crops of the run, one frame of each validation window, and the demo's: each float32 [1, 3, S, S], 0-255."""
    # Calibration sees every second crop, beginning with the first; the validation frames are of other people.
    unseen = [
        window[slots[len(slots) // 2]]
        for window, face_valid in zip(source.windows, source.face_valid, strict=True)
        if len(slots := torch.nonzero(face_valid).flatten())
    ]
    shown = [as_float32(frame.numpy()[np.newaxis]) for frame in (*source.crops[1::2][:RUN_CROPS], *unseen)]
    return [*shown, *demo_crops(source.preprocess)]


def _odd_pictures(size: int) -> list[Array]:
    """Noise, black, white and a ramp: each float32 [1, 3, S, S], 0-255."""
    shape = (1, 3, size, size)
    noise = np.random.default_rng(0).uniform(0, 255, shape)
    ramp = np.broadcast_to(np.linspace(0, 255, size), shape)
    return [as_float32(picture) for picture in (noise, np.zeros(shape), np.full(shape, 255.0), ramp)]


def _masks() -> list[tuple[Array, Array]]:
    """Pairs (face_valid, depth_valid) [1, 20]: all, none, one, a part, and the depth stream without the other."""
    generator = np.random.default_rng(1)
    ones, zeros = np.ones((1, WINDOW)), np.zeros((1, WINDOW))
    last = (np.arange(WINDOW) >= WINDOW // 2)[np.newaxis]
    only = (np.arange(WINDOW) == WINDOW - 1)[np.newaxis]
    pairs = [
        (ones, ones),
        (zeros, zeros),
        (ones, zeros),
        (zeros, ones),
        (last, last),
        (only, only),
        (last, only),
    ]
    while len(pairs) < MASK_WINDOWS:
        faces = generator.random((1, WINDOW)) < generator.random()
        pairs.append((faces, faces & (generator.random((1, WINDOW)) < 0.7)))
    return [(as_float32(face), as_float32(depth)) for face, depth in pairs]


def _window_logits(source: Source, runtime: Runtime) -> list[tuple[float, float]]:
    """Logits of the run's validation windows, encoded frame by frame as on a device."""
    rows = []
    for frames, face_valid in zip(source.windows, source.face_valid, strict=True):
        width = source.student.embed_dim
        rgb, depth = np.zeros((1, WINDOW, width), np.float32), np.zeros((1, WINDOW, width), np.float32)
        for slot in torch.nonzero(face_valid).flatten().tolist():
            outputs = runtime.run("encode", frames[slot : slot + 1].numpy())
            rgb[0, slot], depth[0, slot] = outputs[0][0], outputs[1][0]
        faces = face_valid.numpy()[np.newaxis]
        heard = faces if source.depth_trained else np.zeros_like(faces)
        (logits,) = runtime.run("classify", rgb, depth, faces, heard)
        rows.append((float(logits[0, 0]), float(logits[0, 1])))
    return rows


def _auc(source: Source, logits: list[tuple[float, float]]) -> float | None:
    """Of the windows; None where there are none, or of one class."""
    scores = [source.decision.probability([row]) for row in logits]
    return auc(list(zip(source.is_fake.bool().tolist(), scores, strict=True)))


def _agreement(
    decision: Decision, wanted: list[tuple[float, float]], got: list[tuple[float, float]]
) -> tuple[float | None, float]:
    """(share of equal verdicts away from the threshold, largest probability difference); (None, 0) without windows."""
    if not wanted:
        return None, 0.0
    if not all(math.isfinite(value) for row in got for value in row):
        return 0.0, math.inf
    pairs = [(decision.probability([a]), decision.probability([b])) for a, b in zip(wanted, got, strict=True)]
    difference = max(abs(a - b) for a, b in pairs)
    clear = [(a, b) for a, b in pairs if abs(a - decision.threshold) > UNDECIDABLE]
    if not clear:
        return 1.0, difference
    return sum(decision.label(a) == decision.label(b) for a, b in clear) / len(clear), difference
