"""Programs that benchmarks build for themselves."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from benchmarks.kept_programs import METHOD, kept_program
from core.runtimes.executorch import ExecuTorchRuntime


def test_a_program_is_built_once_and_does_what_its_module_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    module, frame = nn.Conv2d(3, 2, 3).eval(), torch.rand(1, 3, 8, 8)
    built: list[str] = []

    def made() -> tuple[nn.Module, Tensor]:
        built.append("once")
        return module, frame

    first, second = (kept_program("small", made) for _ in range(2))

    assert first == second
    assert first.is_relative_to(tmp_path)
    assert built == ["once"]
    assert [file.name for file in first.parent.iterdir()] == [first.name]
    (found,) = ExecuTorchRuntime(first, (METHOD,), threads=1).run(METHOD, frame.numpy())
    with torch.inference_mode():
        assert torch.allclose(torch.from_numpy(found), module(frame), atol=1e-5)
