"""Entry point of `python -m android_demo.assembly`."""

import sys
from typing import Annotated

from tyro.conf import subcommand

from android_demo.assembly.command import Apk, Prepare, Preprocessing, Runtime, Screenshots, Test
from core.command_line import run_command

COMMANDS = (
    Annotated[Apk, subcommand("apk")]
    | Annotated[Prepare, subcommand("prepare")]
    | Annotated[Preprocessing, subcommand("preprocessing")]
    | Annotated[Runtime, subcommand("runtime")]
    | Annotated[Screenshots, subcommand("screenshots")]
    | Annotated[Test, subcommand("test")]
)

if __name__ == "__main__":
    sys.exit(run_command(COMMANDS, "python -m android_demo.assembly"))
