"""What a build of the runtime contains, read out of the library: names of kernels, nodes, backends and formats."""

import re
from collections.abc import Mapping
from pathlib import Path

from android_demo.assembly.catalog import versions
from android_demo.assembly.files import write_if_new
from core.errors import WorkError
from core.manifest import sha256_of
from export.preflight import TABLE, PackedRuntime, packed_runtime

# Kernels register by these names, the delegate's enumeration has its nodes' names, and the readers of the formats
# compare with these identifiers: each stands in the library as text, with a zero byte after it.
OPERATOR = re.compile(rb"\0((?:aten|quantized_decomposed|dim_order_ops)::[A-Za-z_0-9]+(?:\.[A-Za-z_0-9]+)?)(?=\0)")
NODE = re.compile(rb"\0(XNN[A-Z][a-z][A-Za-z0-9]*|XNNELU|XNNPReLU)(?=\0)")
FORMAT = re.compile(rb"\0(ET[0-9]{2}|XN[0-9]{2})(?=\0)")
# The name that a backend registers by; XNNPACK's shares its text with the identifier of its header.
BACKEND = re.compile(rb"(?:\0|XH00)([A-Z][a-z]+Backend)(?=\0)")
NO_NODES = {"XNNTensorValue", "XNNQuantizedTensorValue"}


def contents(libraries: Mapping[str, Path]) -> PackedRuntime:
    """What all of `libraries` (by ABI) contain. WorkError where one of them is no build of the runtime."""
    found = {abi: library.read_bytes() for abi, library in libraries.items()}

    def common(pattern: re.Pattern[bytes]) -> tuple[str, ...]:
        names = [{name.decode() for name in pattern.findall(content)} for content in found.values()]
        together = set.intersection(*names)
        if not together:
            raise WorkError(
                f"{', '.join(map(str, libraries.values()))}: no build of the runtime: no {pattern.pattern!r}"
            )
        return tuple(sorted(together - NO_NODES))

    return PackedRuntime(
        package=f"react-native-executorch {versions()['reactNativeExecutorch']}",
        libraries={abi: sha256_of(library) for abi, library in libraries.items()},
        formats=common(FORMAT),
        backends=common(BACKEND),
        operators=common(OPERATOR),
        nodes=common(NODE),
    )


def write_table(libraries: Mapping[str, Path]) -> bool:
    """Record what `libraries` contain; whether that was news."""
    return write_if_new(TABLE, contents(libraries).model_dump_json(indent=1) + "\n")


def check_table(libraries: Mapping[str, Path]) -> None:
    """WorkError where the recorded table is of other libraries than these."""
    recorded = packed_runtime().libraries
    for abi, library in libraries.items():
        if recorded.get(abi) != sha256_of(library):
            raise WorkError(
                f"{TABLE.name} is of another libexecutorch.so for {abi}; type `python -m android_demo.assembly runtime`"
            )
