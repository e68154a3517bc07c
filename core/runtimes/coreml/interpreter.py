"""One function of a MIL program: constants read once, operators executed in the order of the file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from core.runtimes.coreml.arguments import Arguments, Operator
from core.runtimes.coreml.operators import OPERATORS
from core.runtimes.coreml.values import TensorType, UnreadableError, Value, Weights, as_declared, read_type, read_value

_CPU: Final = torch.device("cpu")
_META: Final = torch.device("meta")

# What torch and Python raise over arguments that do not fit. A package is data: none of it may end in a traceback.
_MISFITS: Final = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True)
class _Name:
    """A value that is computed in each run."""

    name: str


@dataclass(frozen=True)
class _Step:
    """One operator with its inputs, constants among them, and what it declares to give."""

    kind: str
    operator: Operator
    inputs: Mapping[str, Sequence[_Name | Value]]
    outputs: Sequence[tuple[str, TensorType]]

    @property
    def reads(self) -> set[str]:
        return {value.name for values in self.inputs.values() for value in values if isinstance(value, _Name)}

    def run(self, known: Mapping[str, Tensor], device: torch.device) -> dict[str, Tensor]:
        """The outputs by name; UnreadableError where the inputs do not fit or the outputs are not as declared."""
        inputs = {
            name: [known[value.name] if isinstance(value, _Name) else value for value in values]
            for name, values in self.inputs.items()
        }
        try:
            result = self.operator(Arguments(inputs, device))
            tensors = [result] if isinstance(result, Tensor) else result
            return {
                name: as_declared(tensor, declared)
                for (name, declared), tensor in zip(self.outputs, tensors, strict=True)
            }
        except _MISFITS as error:
            reason = str(error).strip().partition("\n")[0]
            raise UnreadableError(f"{self.kind} {self.outputs[0][0]!r}: {reason}") from error


class Function:
    """Loaded once, run often.

    While it is loaded every operator runs on tensors without data (torch's `meta` device): what does not fit together,
    or is not what the program declares, or would be too large, is found before anything is computed.
    """

    def __init__(self, function: Any, weights: Weights) -> None:
        """Read `function`, a MIL `Function`; UnreadableError where it cannot be executed."""
        self.inputs = {value.name: read_type(value.type) for value in function.inputs}
        for name, declared in self.inputs.items():
            if not declared.dtype.startswith("FLOAT"):
                raise UnreadableError(f"its input {name!r} is {declared}, only floats are known")
        if function.opset not in function.block_specializations:
            raise UnreadableError(f"it has no block for its operator set {function.opset!r}")
        block = function.block_specializations[function.opset]
        constants: dict[str, Value] = {}
        shapes = {name: torch.zeros(declared.shape, device=_META) for name, declared in self.inputs.items()}
        self._steps: list[_Step] = []
        for operation in block.operations:
            if operation.type == "const" and len(operation.outputs) == 1:
                constants[operation.outputs[0].name] = read_value(operation.attributes["val"], weights)
                continue
            step = _step(operation, constants, shapes, weights)
            shapes_of_step = step.run(shapes, _META)
            if step.reads:
                shapes.update(shapes_of_step)
                self._steps.append(step)
            else:
                constants.update(step.run({}, _CPU))
        self._outputs = list(block.outputs)
        self._constants = {name: value for name in self._outputs if isinstance(value := constants.get(name), Tensor)}
        for name in self._outputs:
            if name not in shapes and name not in self._constants:
                raise UnreadableError(f"its output {name!r} is never computed")
        self._spent = _spent(self._steps, self._outputs)

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """The outputs, in the program's order, of float32 inputs in the program's order and shapes."""
        with torch.inference_mode():
            known = {
                name: as_declared(tensor, declared)
                for (name, declared), tensor in zip(self.inputs.items(), inputs, strict=True)
            }
            known.update(self._constants)
            for step, spent in zip(self._steps, self._spent, strict=True):
                known.update(step.run(known, _CPU))
                for name in spent:
                    del known[name]
        return [known[name] for name in self._outputs]


def _step(operation: Any, constants: Mapping[str, Value], shapes: Mapping[str, Tensor], weights: Weights) -> _Step:
    if operation.type not in OPERATORS:
        raise UnreadableError(f"the operator {operation.type!r} is not one that the reference executes")
    if not operation.outputs:
        raise UnreadableError(f"{operation.type} has no output")

    def bound(argument: Any) -> _Name | Value:
        if argument.WhichOneof("binding") == "value":
            return read_value(argument.value, weights)
        if argument.name in constants:
            return constants[argument.name]
        if argument.name not in shapes:
            raise UnreadableError(f"{operation.type} reads {argument.name!r}, which is not computed before it")
        return _Name(argument.name)

    # The parameters of iOS 17's `constexpr_*` are attributes, whose `name` is the operator's own.
    attributes = {name: [read_value(value, weights)] for name, value in operation.attributes.items() if name != "name"}
    inputs = {name: [bound(value) for value in given.arguments] for name, given in operation.inputs.items()}
    return _Step(
        kind=operation.type,
        operator=OPERATORS[operation.type],
        inputs={**attributes, **inputs},
        outputs=[(output.name, read_type(output.type)) for output in operation.outputs],
    )


def _spent(steps: Sequence[_Step], outputs: Sequence[str]) -> list[list[str]]:
    """For each step the values that nothing reads after it: their memory is taken again while it is still warm."""
    later = set(outputs)
    spent: list[list[str]] = []
    for step in reversed(steps):
        touched = step.reads | {name for name, _ in step.outputs}
        spent.append(sorted(touched - later))
        later |= touched
    return spent[::-1]
