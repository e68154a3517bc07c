"""Entry point of `python -m distill`."""

import sys

from core.command_line import run_command
from distill.commands import Distill

if __name__ == "__main__":
    sys.exit(run_command(Distill, "python -m distill"))
