"""ONNX Runtime on the CPU: a folder with one `METHOD.onnx` each."""

from collections.abc import Sequence
from pathlib import Path

from core.errors import InputError
from core.runtimes import Array, as_float32, missing_extra


class OnnxRuntime:
    """One session a method."""

    name = "onnxruntime"

    def __init__(self, folder: Path, methods: Sequence[str], *, threads: int | None = None) -> None:
        """Load `methods` from `folder`; InputError where a file is no model."""
        try:
            import onnxruntime
        except ImportError as error:
            raise missing_extra("onnx", error) from error
        self.version = str(onnxruntime.__version__)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3
        # On x86 without VNNI its fast int8 kernels saturate: the embeddings' cosine fell to 0.956 from 0.997.
        options.add_session_config_entry("session.x64quantprecision", "1")
        # Between two calls its threads would otherwise spin for a while, on cores that decode the next frame.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self._sessions = {}
        for method in methods:
            try:
                self._sessions[method] = onnxruntime.InferenceSession(
                    str(folder / f"{method}.onnx"), options, providers=["CPUExecutionProvider"]
                )
            # ONNX Runtime's own exceptions share no base class below Exception.
            except Exception as error:
                raise InputError(
                    f"{folder}/{method}.onnx: not a model that onnxruntime can load; export it again"
                ) from error

    def run(self, method: str, *inputs: Array) -> tuple[Array, ...]:
        """See `core.runtimes.Runtime`."""
        session = self._sessions[method]
        names = (value.name for value in session.get_inputs())
        return tuple(as_float32(output) for output in session.run(None, dict(zip(names, inputs, strict=True))))
