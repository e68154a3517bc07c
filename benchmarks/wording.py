"""How figures are written, the same on the terminal, in report.md and in report.html."""

from benchmarks.check import Check, Quantity
from benchmarks.results import Results
from benchmarks.statistics import Uncertain

NONE = "-"
TIMES = "\N{MULTIPLICATION SIGN}"

QUANTITIES: dict[Quantity, str] = {
    "frame_anchors": "frame, x anchor",
    "frame_ms": "frame, ms",
    "peak_bytes": "peak memory, MB",
    "size_bytes": "size, MB",
    "cold_load_ms": "cold load, ms",
    "times_baseline": "x baseline",
}

OUTCOMES = {
    "holds": "holds",
    "open": "open: the limit lies in the interval",
    "short": "short",
    "undecided": "undecided",
    "elsewhere": "not here",
}


def megabytes(size_bytes: int | None) -> str:
    """10^6 bytes, as app stores count."""
    return NONE if size_bytes is None else f"{size_bytes / 1e6:.1f}"


def milliseconds(value: float | None) -> str:
    """To three digits, whatever the size."""
    if value is None:
        return NONE
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def anchors(value: float | None) -> str:
    """A ratio to the anchor."""
    return NONE if value is None else f"{value:.3f}"


def share(value: float | None) -> str:
    """An AUC or a share."""
    return NONE if value is None else f"{value:.3f}"


def times(value: float) -> str:
    """How many times one is the other."""
    return f"{value:,.0f}{TIMES}" if value >= 100 else f"{value:.1f}{TIMES}"


def between(told: Uncertain | None) -> str:
    """An interval of ratios."""
    return NONE if told is None else f"{told.low:.3f} to {told.high:.3f}"


def quantity(name: Quantity, value: float | None) -> str:
    """`value` in the unit of `QUANTITIES`."""
    if name in ("peak_bytes", "size_bytes"):
        return megabytes(None if value is None else round(value))
    return anchors(value) if name in ("frame_anchors", "times_baseline") else milliseconds(value)


def measured(check: Check) -> str:
    """The figure of a check, with its interval where it has one."""
    told = quantity(check.quantity, check.value)
    if check.interval is None:
        return told
    low, high = (quantity(check.quantity, end) for end in check.interval)
    return f"{told} ({low} to {high})"


def outcome(check: Check) -> str:
    """The outcome, and the reason where it has one."""
    if check.reason is not None:
        return f"{OUTCOMES[check.outcome].split(':')[0]}: {check.reason}"
    return OUTCOMES[check.outcome]


def shortfalls(results: Results) -> list[str]:
    """A line for every check that a gate stops at."""
    lines = []
    for check in (*results.checks, *results.baseline_checks):
        if check.fails:
            where = f"the baseline ({results.baseline})" if check.target is None else check.target
            limit = quantity(check.quantity, check.limit)
            found = measured(check) if check.value is not None else (check.reason or "not measured")
            lines.append(
                f"gate: {check.subject}: {QUANTITIES[check.quantity]} is {found}, at most {limit} for {where}: "
                f"{check.outcome}"
            )
    return lines
