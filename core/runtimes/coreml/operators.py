"""Every operator that the reference executes, by its MIL name. Any other in a program is an error that names it."""

from typing import Final

from core.runtimes.coreml.arguments import Operator
from core.runtimes.coreml.compression import COMPRESSION
from core.runtimes.coreml.elementwise import ELEMENTWISE, REDUCTIONS
from core.runtimes.coreml.layers import LAYERS
from core.runtimes.coreml.resizing import RESIZING
from core.runtimes.coreml.shapes import SHAPES

OPERATORS: Final[dict[str, Operator]] = {
    **COMPRESSION,
    **ELEMENTWISE,
    **LAYERS,
    **REDUCTIONS,
    **RESIZING,
    **SHAPES,
}
