"""What a clip and a model are: all that training, export and measurement share.

Importing this package loads no model library; the names below live in modules that are imported when needed:
`core.preprocess` (PreprocessSpec), `core.video`, `core.faces`, `core.corpus`, `core.records`, `core.store`,
`core.prepare`, `core.decision` (windows and the verdict), `core.detector` (StreamingDetector), `core.models`,
`core.runs`, `core.manifest` and `core.runtimes`.
"""

from importlib.metadata import version

__version__ = version("megatron-mobile")
