"""The two ways work ends early, the exit code each of them has, and how a document's fault is put in one line."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class InputError(ValueError):
    """The user's input is wrong: exit code 2.

    The message is one line that says what came, what is allowed and what to type next.
    """


class WorkError(RuntimeError):
    """The input was right and the work failed all the same: exit code 1. The message is one line."""


def first_fault(error: "ValidationError") -> str:
    """Where a document is wrong first, and how: `artifacts.0.path: the path ...`."""
    fault = error.errors()[0]
    where = ".".join(str(part) for part in fault["loc"])
    return f"{where}: {fault['msg']}" if where else fault["msg"]
