"""The two ways work ends early, and the exit code each of them has."""


class InputError(ValueError):
    """The user's input is wrong: exit code 2.

    The message is one line that says what came, what is allowed and what to type next.
    """


class WorkError(RuntimeError):
    """The input was right and the work failed all the same: exit code 1. The message is one line."""
