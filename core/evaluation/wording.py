"""How figures are called and written, on the terminal and on the page alike."""

from collections.abc import Mapping
from typing import Any

FIGURES = {
    "auc": ("video AUC", "share of pairs of a fake and a real video in which the fake has the higher probability"),
    "window_auc": ("window AUC", "the same of pairs of windows"),
    "frame_auc": ("frame AUC", "the same of pairs of frames, each judged alone"),
    "ap": ("AP", "average precision: mean precision over the ranks at which fakes stand"),
    "eer": ("EER", "error rate at the threshold where misses and false alarms are alike"),
    "accuracy": ("accuracy", "share of videos on the right side of the threshold"),
    "true_positive_rate": ("fakes found", "share of the fakes at or above the threshold"),
    "false_positive_rate": ("false alarms", "share of the real videos at or above the threshold"),
    "frame_accuracy": (
        "reference's frame accuracy",
        "the reference's own measure: share of single frames whose larger logit is right, counted as frames below",
    ),
    "ece": ("ECE", "expected calibration error: mean distance of probability and share of fakes, over ten bins"),
    "log_loss": ("log loss", "mean negative logarithm of the probability given to the truth, by video"),
    "window_log_loss": ("window log loss", "the same by window"),
    "coverage": ("coverage", "share of the sampled frames that show a face"),
}
"""Name in the document -> what a person reads, and what it means."""

COUNTS = {
    "videos_real": ("real videos", "decided ones"),
    "videos_fake": ("fake videos", "decided ones"),
    "undecided": ("undecided", "videos without a window of enough faces; in no figure but coverage"),
    "identities": ("people", "who are drawn anew for an interval, with all their videos"),
    "windows": ("windows", "decided ones"),
    "frames": ("frames", "once for each decided window that shows them"),
}

GROUPS = {
    "method": "method, the fakes of each beside all real videos",
    "strength": "strength: mean change inside the mask, in levels of 255; beside all real videos",
    "compression": "compression",
    "encoding": "encoding of clips that were made here",
    "folder": "folder",
    "identity": "person",
}

GROUP_COLUMNS = {
    "auc": "video AUC",
    "frame_auc": "frame AUC",
    "accuracy": "accuracy",
    "true_positive_rate": "fakes found",
    "false_positive_rate": "false alarms",
    "videos_real": "real",
    "videos_fake": "fake",
    "undecided": "undecided",
}

KINDS = {
    "blur": "blur",
    "noise": "noise",
    "rescale": "rescale",
    "jpeg": "JPEG",
    "h264": "H.264",
    "combined": "combined",
}

SAME_BOXES = (
    "the whole stored crop is perturbed before the face is cut out of it, alike in every frame, with the boxes found "
    "in the clean video; px are of the model's input"
)


def telling(by: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Those of `GROUPS` that tell something: a single folder holds what all figures are of already."""
    return {kind: title for kind, title in GROUPS.items() if len(by[kind]) > (kind not in ("method", "strength"))}


def figure(value: float | None) -> str:
    """`0.931`, a count as it is, and a dash for what there is none of."""
    return "-" if value is None else str(value) if isinstance(value, int) else f"{value:.3f}"


def change(value: float | None) -> str:
    """`+0.012`, `-0.300`, and no sign to what rounds to nothing."""
    return "-" if value is None else _signed(value, 3)


def interval(pair: list[float] | None, *, signed: bool = False) -> str:
    """`0.91 to 0.97`; nothing where there is none. Of no width it is no certainty, so that is said."""
    if pair is None:
        return ""
    low, high = (_signed(value, 2) if signed else f"{value:.2f}" for value in pair)
    return f"{low} in every draw" if pair[0] == pair[1] else f"{low} to {high}"


def subject_of(document: Mapping[str, Any]) -> str:
    """What was judged: `run demo: student.safetensors, torch fp32`."""
    model = document["model"]
    name = model["folder"].rstrip("/").rpartition("/")[2]
    untrained = "" if model["trained"] else ", untrained: its answers mean nothing"
    return f"{model['kind']} {name}: {model['program']}, {model['runtime']['name']} {model['precision']}{untrained}"


def extent_of(document: Mapping[str, Any]) -> str:
    """On what: `corpus faces, the test side: 12 real and 24 fake videos of 9 people, 2 undecided`."""
    data, figures = document["data"], document["figures"]
    name = data["corpus"].rstrip("/").rpartition("/")[2]
    side = "all of it" if data["split"] == "all" else f"the {data['split']} side"
    return (
        f"{name}, {side}: {figures['videos_real']} real and {figures['videos_fake']} fake videos decided, "
        f"{figures['undecided']} undecided, {figures['identities']} people"
    )


def _signed(value: float, digits: int) -> str:
    return f"{value:+.{digits}f}" if round(value, digits) else f"{0:.{digits}f}"
