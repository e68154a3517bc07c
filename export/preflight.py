"""What a `.pte` asks of its runtime, against what the runtime in the Android app contains.

The app packs a runtime of another version than the exporter's. `android_runtime.json` lists what is in it, read out of
the library itself by `python -m android_demo.assembly runtime`, so that bundling needs no library at hand.
"""

import json
import re
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError

from core.errors import InputError, first_fault
from core.manifest import Document

TABLE: Final = Path(__file__).with_name("android_runtime.json")
XNNPACK: Final = "XnnpackBackend"


class PackedRuntime(Document):
    """What one build of the runtime for Android contains, the same for every processor."""

    package: str = Field(description="what it was taken from, with its version")
    libraries: dict[str, str] = Field(description="sha256 of libexecutorch.so by ABI")
    formats: tuple[str, ...] = Field(description="identifiers of programs and of delegates' graphs that it reads")
    backends: tuple[str, ...]
    operators: tuple[str, ...] = Field(description="kernels for what stays outside a delegate")
    nodes: tuple[str, ...] = Field(description="what XNNPACK's delegate can build")


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a program asks for, each under the name that `PackedRuntime` has for it."""

    formats: frozenset[str]
    backends: frozenset[str]
    operators: frozenset[str]
    nodes: frozenset[str]


def packed_runtime(table: Path = TABLE) -> PackedRuntime:
    """The recorded table; InputError where it is none."""
    try:
        return PackedRuntime.model_validate(json.loads(table.read_bytes()))
    except ValidationError as error:
        raise InputError(f"{table}: {first_fault(error)}; type `python -m android_demo.assembly runtime`") from error
    except (ValueError, OSError) as error:
        raise InputError(f"{table}: not readable ({error}); type `python -m android_demo.assembly runtime`") from error


def refuse_what_is_missing(program: Path, runtime: PackedRuntime | None = None) -> None:
    """InputError that names what `program` asks for and the packed runtime lacks."""
    runtime = runtime or packed_runtime()
    needs = needs_of(program)
    kinds = (
        ("format", needs.formats, runtime.formats),
        ("backend", needs.backends, runtime.backends),
        ("operator", needs.operators, runtime.operators),
        ("XNNPACK node", needs.nodes, runtime.nodes),
    )
    missing = [f"{kind} {name}" for kind, wanted, there in kinds for name in sorted(wanted - set(there))]
    if missing:
        raise InputError(
            f"{program}: asks for {', '.join(missing)}, which the app's runtime ({runtime.package}) does not contain; "
            "choose another precision, or pack a newer runtime"
        )


def needs_of(program: Path) -> Needs:
    """What `program` asks for; InputError where it is no program that ExecuTorch's own reader can read."""
    from core.runtimes.executorch import without_chatter

    with without_chatter():
        from executorch.exir._serialize._program import deserialize_pte_binary

    content = program.read_bytes()
    if content[4:6] != b"ET":
        raise InputError(f"{program}: not a program that ExecuTorch can read; export it again")
    try:
        parsed = deserialize_pte_binary(content).program
        plans = tuple(parsed.execution_plan)
    # Its reader runs a program of its own on what it is given, and fails in many ways.
    except Exception as error:
        raise InputError(f"{program}: not a program that ExecuTorch can read; export it again") from error
    formats, operators, backends, nodes = {content[4:8].decode("ascii", "replace")}, set[str](), set[str](), set[str]()
    for plan in plans:
        operators |= {f"{one.name}.{one.overload}" if one.overload else one.name for one in plan.operators}
        for delegate in plan.delegates:
            backends.add(delegate.id)
            if delegate.id == XNNPACK:
                graph = _xnnpack_graph(parsed.backend_delegate_data[delegate.processed.index].data)
                formats.add(graph[4:8].decode("ascii", "replace"))
                nodes |= _xnnpack_nodes(graph)
    return Needs(
        formats=frozenset(formats),
        backends=frozenset(backends),
        operators=frozenset(operators),
        nodes=frozenset(nodes),
    )


def _xnnpack_graph(payload: bytes) -> bytes:
    """The flatbuffer inside a delegate's data, which begins with a header that says where."""
    from executorch.backends.xnnpack.serialization.xnnpack_graph_serialize import XNNHeader

    header = XNNHeader.from_bytes(payload[: XNNHeader.EXPECTED_LENGTH])
    return payload[header.flatbuffer_offset :][: header.flatbuffer_size]


def _xnnpack_nodes(graph: bytes) -> set[str]:
    from executorch.exir._serialize._flatbuffer import _flatc_decompile

    with tempfile.TemporaryDirectory() as folder:
        schema, binary = Path(folder) / "schema.fbs", Path(folder) / "graph.bin"
        schema.write_bytes(_xnnpack_schema())
        binary.write_bytes(graph)
        _flatc_decompile(folder, str(schema), str(binary))
        text = (Path(folder) / "graph.json").read_text()
    # Not read as JSON: what bounds an activation may be infinite, and JSON has no word for that.
    return set(re.findall(r'"xnode_union_type": "(\w+)"', text))


@cache
def _xnnpack_schema() -> bytes:
    return resources.files("executorch.backends.xnnpack.serialization").joinpath("schema.fbs").read_bytes()
