"""Entry point of `python -m export`."""

import sys

from core.command_line import run_command
from export.commands import Export

if __name__ == "__main__":
    sys.exit(run_command(Export, "python -m export"))
