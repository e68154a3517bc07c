"""The figures of scored videos: all together, by what tells the videos apart, and under perturbations."""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from core.decision import Decision
from core.evaluation.intervals import RESAMPLES, auc_interval, paired_auc_gap
from core.evaluation.perturbations import Perturbation
from core.evaluation.scoring import CLEAN, ScoredVideo
from core.metrics import auc, summarise, window_log_loss
from core.records import VideoRecord, coverage_of

Block = dict[str, Any]
"""Figures by name, ready for JSON."""

AS_IT_CAME = "as it came"

STRENGTHS = ((4.0, "below 4"), (8.0, "4 to 8"), (16.0, "8 to 16"), (math.inf, "16 and above"))
"""Of forgeries made here: the end of a range of the mean change inside the mask, in levels of 255, and its name."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A video with its probability."""

    video: ScoredVideo
    probability: float | None
    """None where it is undecided."""

    @property
    def record(self) -> VideoRecord:
        return self.video.record

    @property
    def is_fake(self) -> bool:
        return self.record.label == "fake"


def rows_of(videos: Sequence[ScoredVideo], decision: Decision) -> list[Row]:
    """Every video with its probability, in order."""
    return [
        Row(
            video=video,
            probability=decision.probability([window.logits for window in video.windows]) if video.windows else None,
        )
        for video in videos
    ]


def overall(rows: Sequence[Row], decision: Decision, *, seed: int = 0) -> Block:
    """The block of metrics.json over all videos, with an interval of its AUC and a few figures more.

    `frame_accuracy` is the reference's own: of all single frames that a decided window shows, the share whose larger
    logit is right, whatever the threshold. `window_log_loss` is at the decision's temperature.
    """
    windows = [window for row in rows for window in row.video.windows]
    base = summarise(
        windows,
        decision,
        undecided=sum(row.probability is None for row in rows),
        coverage=coverage_of(row.record for row in rows),
    )
    interval = auc_interval([(row.record.identity, row.is_fake, p) for row, p in _decided(rows)], seed=seed)
    right = [(fake > real) == window.is_fake for window in windows for real, fake in window.frame_logits]
    return {
        **base,
        "auc_interval": None if interval is None else list(interval),
        "resamples": RESAMPLES,
        "frame_accuracy": _mean(right),
        "window_log_loss": window_log_loss(windows, decision),
        **_rates(rows, decision),
        "identities": len({row.record.identity for row in rows}),
        "windows": len(windows),
        "frames": len(right),
    }


def block(rows: Sequence[Row], decision: Decision) -> Block:
    """The figures of a part of the videos; those that need a class that is missing are None."""
    decided = _decided(rows)
    frames = [
        (window.is_fake, decision.probability([logits]))
        for row in rows
        for window in row.video.windows
        for logits in window.frame_logits
    ]
    return {
        "videos_real": sum(not row.is_fake for row, _ in decided),
        "videos_fake": sum(row.is_fake for row, _ in decided),
        "undecided": len(rows) - len(decided),
        "auc": auc([(row.is_fake, probability) for row, probability in decided]),
        "frame_auc": auc(frames),
        "accuracy": _mean([(p >= decision.threshold) == row.is_fake for row, p in decided]),
        **_rates(rows, decision),
    }


def breakdown(rows: Sequence[Row], decision: Decision) -> dict[str, dict[str, Block]]:
    """Blocks by method and strength, of the fakes of each beside all real videos, and by what both classes have."""
    reals = [row for row in rows if not row.is_fake]
    fakes = [row for row in rows if row.is_fake]

    def beside_reals(groups: Mapping[str, Sequence[Row]]) -> dict[str, Block]:
        return {name: block([*reals, *members], decision) for name, members in groups.items()}

    def within(name_of: Callable[[VideoRecord], str]) -> dict[str, Block]:
        return {name: block(members, decision) for name, members in _grouped(rows, name_of).items()}

    by_strength = _grouped([row for row in fakes if row.record.forgery is not None], _strength)
    return {
        "method": beside_reals(_grouped(fakes, lambda record: record.method)),
        "strength": beside_reals({name: by_strength[name] for _, name in STRENGTHS if name in by_strength}),
        "compression": within(lambda record: record.compression or AS_IT_CAME),
        "encoding": within(lambda record: record.encoding or AS_IT_CAME),
        "identity": within(lambda record: record.identity),
        "folder": within(lambda record: PurePosixPath(record.path).parent.as_posix()),
    }


def robustness(
    ways: Mapping[Perturbation | None, Sequence[ScoredVideo]], decision: Decision, *, seed: int = 0
) -> list[Block]:
    """One row for each perturbation: its figures, and what they differ by from the same videos as they are.

    `auc_change_interval` is 95 %, both drawn anew alike, over identities.
    """
    clean = rows_of(ways[CLEAN], decision)
    before = block(clean, decision)
    table = []
    for way, videos in ways.items():
        if way is CLEAN:
            continue
        rows = rows_of(videos, decision)
        after = block(rows, decision)
        pairs = zip(_decided(rows), _decided(clean), strict=True)
        gap = paired_auc_gap([(row.record.identity, row.is_fake, p, q) for (row, p), (_, q) in pairs], seed=seed)
        table.append(
            {
                "kind": way.kind,
                "strength": way.strength,
                "words": way.words,
                **{name: after[name] for name in ("auc", "frame_auc", "accuracy")},
                **{
                    f"{name}_change": _difference(after[name], before[name])
                    for name in ("auc", "frame_auc", "accuracy")
                },
                "auc_change_interval": None if gap is None else list(gap.interval),
            }
        )
    return table


def _decided(rows: Sequence[Row]) -> list[tuple[Row, float]]:
    return [(row, row.probability) for row in rows if row.probability is not None]


def _grouped(rows: Sequence[Row], name_of: Callable[[VideoRecord], str]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[name_of(row.record)].append(row)
    return dict(sorted(groups.items()))


def _strength(record: VideoRecord) -> str:
    assert record.forgery is not None
    visibility = record.forgery.visibility
    return next(name for end, name in STRENGTHS if visibility < end)


def _rates(rows: Sequence[Row], decision: Decision) -> Block:
    """Share of the fakes, and of the real videos, that the threshold calls fake."""
    called = {True: list[bool](), False: list[bool]()}
    for row, probability in _decided(rows):
        called[row.is_fake].append(probability >= decision.threshold)
    return {"true_positive_rate": _mean(called[True]), "false_positive_rate": _mean(called[False])}


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _difference(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before
