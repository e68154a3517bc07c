"""What one operator is called with, by the MIL names of its inputs."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from core.runtimes.coreml.values import UnreadableError, Value

Choice = TypeVar("Choice")


class Arguments:
    """Inputs of one call. Whatever is missing, or of the wrong kind, is an UnreadableError that names it."""

    def __init__(self, values: Mapping[str, Sequence[Value]], device: torch.device) -> None:
        """`device` is where the operator computes: `meta` when only shapes are asked for."""
        self._values = values
        self._device = device

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def tensor(self, name: str) -> Tensor:
        """The input of that name: float32 where it is declared in half precision."""
        return self._on_device(name, self._single(name))

    def optional(self, name: str) -> Tensor | None:
        """As `tensor`; None where the input is not given."""
        return self.tensor(name) if name in self else None

    def tensors(self, name: str) -> list[Tensor]:
        """The inputs of a name that takes several."""
        return [self._on_device(name, value) for value in self._values.get(name, ())]

    def ints(self, name: str, default: Sequence[int] | None = None) -> list[int]:
        """A constant vector of integers, or of booleans."""
        if name not in self and default is not None:
            return list(default)
        found = self._constant(name).tolist()
        return [int(number) for number in found] if isinstance(found, list) else [int(found)]

    def integer(self, name: str, default: int | None = None) -> int:
        """A constant integer."""
        return default if name not in self and default is not None else int(self._constant(name).item())

    def number(self, name: str, default: float | None = None) -> float:
        """A constant integer or float."""
        return default if name not in self and default is not None else float(self._constant(name).item())

    def flag(self, name: str, default: bool) -> bool:
        """A constant boolean."""
        return bool(self._constant(name).item()) if name in self else default

    def text(self, name: str, default: str | None = None) -> str:
        """A constant string."""
        found = default if name not in self and default is not None else self._single(name)
        if not isinstance(found, str):
            raise UnreadableError(f"its {name} is no string")
        return found

    def choice(self, name: str, allowed: Mapping[str, Choice], default: str | None = None) -> Choice:
        """What `allowed` has under a constant string."""
        found = self.text(name, default)
        if found not in allowed:
            raise UnreadableError(f"its {name} is {found!r}, known are {', '.join(allowed)}")
        return allowed[found]

    def _single(self, name: str) -> Value:
        found = self._values.get(name, ())
        if len(found) != 1:
            raise UnreadableError(f"its {name} has {len(found)} values instead of one")
        return found[0]

    def _on_device(self, name: str, value: Value) -> Tensor:
        if isinstance(value, str):
            raise UnreadableError(f"its {name} is no tensor")
        return value.to(self._device)

    def _constant(self, name: str) -> Tensor:
        value = self._single(name)
        if isinstance(value, str) or value.is_meta:
            raise UnreadableError(f"its {name} is not a constant number")
        return value


Operator = Callable[[Arguments], Tensor | Sequence[Tensor]]
"""One operator: float32 for every float, and it leaves its inputs as they are."""
