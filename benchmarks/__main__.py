"""Entry point of `python -m benchmarks`; without a subcommand it measures."""

import sys
from typing import Annotated

from tyro.conf import subcommand

from benchmarks.commands import Run, Summary
from benchmarks.side_commands import BuildRunner, Compare
from benchmarks.studies import Boxes, Preparation
from core.command_line import run_command

COMMANDS = (
    Annotated[Run, subcommand("run")]
    | Annotated[Summary, subcommand("summary")]
    | Annotated[Compare, subcommand("compare")]
    | Annotated[Preparation, subcommand("preparation")]
    | Annotated[Boxes, subcommand("boxes")]
    | Annotated[BuildRunner, subcommand("build-runner")]
)

if __name__ == "__main__":
    words = sys.argv[1:]
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help")):
        words = ["run", *words]
    sys.exit(run_command(COMMANDS, "python -m benchmarks", words))
