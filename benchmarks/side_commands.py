"""`python -m benchmarks compare | build-runner`: two runs held against each other, and the native runner."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from benchmarks.comparison import compare
from benchmarks.results import read_results
from benchmarks.tables import table
from benchmarks.verdict_sheets import change_sheet
from core.command_line import page, say


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Tell how two runs differ, and how sure that is."""

    a: Annotated[Path, tyro.conf.Positional]
    """The earlier results.json."""
    b: Annotated[Path, tyro.conf.Positional]
    """The later one."""
    ratios: bool = False
    """Compare across CPU models, through ratios to the anchor alone."""
    json: bool = False
    """Print one JSON document on stdout and nothing else."""

    def execute(self) -> int:
        """See `benchmarks.comparison`."""
        found = compare(read_results(self.a), read_results(self.b), files=(self.a, self.b), ratios=self.ratios)
        if self.json:
            print(found.model_dump_json(indent=2))
        else:
            page().print(table(change_sheet(found)))
        return 0


@dataclass(frozen=True, kw_only=True)
class BuildRunner:
    """Build the native runner, for this machine and for arm64 Linux; what is built already stays."""

    only: Literal["host", "arm64"] | None = None
    """One of the two."""
    wheel: Path | None = None
    """ExecuTorch's wheel for arm64 Linux; fetched with pip if not given."""

    def execute(self) -> int:
        """See `benchmarks.build`."""
        from benchmarks.build import Architecture, build_runner

        chosen: tuple[Architecture, ...] = ("host", "arm64") if self.only is None else (self.only,)
        for architecture in chosen:
            say(f"{architecture}: {build_runner(architecture, wheel=self.wheel)}")
        return 0
