"""Entry point of `python -m core`."""

import sys
from typing import Annotated

from tyro.conf import subcommand

from core.command_line import run_command
from core.commands import Demo, Detect, Prepare, Preview
from core.evaluation.command import Evaluate

COMMANDS = (
    Annotated[Demo, subcommand("demo")]
    | Annotated[Prepare, subcommand("prepare")]
    | Annotated[Preview, subcommand("preview")]
    | Annotated[Detect, subcommand("detect")]
    | Annotated[Evaluate, subcommand("evaluate")]
)

if __name__ == "__main__":
    sys.exit(run_command(COMMANDS, "python -m core"))
