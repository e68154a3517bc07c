"""Building the native runner: what is missing is named, what fails leaves nothing, what was built is found again."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import build
from benchmarks.__main__ import COMMANDS
from benchmarks.build import CROSS_COMPILER, build_runner, built_runner
from core.command_line import run_command
from core.errors import InputError, WorkError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder of the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CXX", raising=False)
    return tmp_path / "cache" / "megatron-mobile"


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts an executable of that name and shell text where alone programs are looked for."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def put(name: str, text: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)

    return put


CMAKE = """
if [ "$1" = "-S" ]; then echo "$@" > "$4.asked"; /bin/mkdir "$4"; else echo binary > "$2/runner"; fi
"""
"""Writes down how it was configured, and `builds`."""


@pytest.mark.parametrize(
    ("there", "architecture", "complaint"),
    [
        ((), "host", "no cmake here; install cmake"),
        (("cmake",), "host", r"no C\+\+ compiler here \(c\+\+, g\+\+, clang\+\+\); install g\+\+ or clang"),
        (("cmake",), "arm64", "no aarch64-linux-gnu-g.. here; install the package g..-aarch64-linux-gnu"),
    ],
)
def test_a_missing_tool_is_named_with_what_to_install(
    cache: Path,
    tool: Callable[[str, str], None],
    there: tuple[str, ...],
    architecture: build.Architecture,
    complaint: str,
) -> None:
    for name in there:
        tool(name, CMAKE)

    with pytest.raises(InputError, match=complaint):
        build_runner(architecture)
    assert built_runner(architecture) is None


def test_what_was_built_is_found_and_not_built_again(cache: Path, tool: Callable[[str, str], None]) -> None:
    tool("cmake", CMAKE)
    tool("g++", "")
    built = build_runner("host")
    tool("cmake", "exit 1")

    assert build_runner("host") == built
    assert built_runner("host") == built
    assert built.read_text() == "binary\n"
    assert [path.name for path in cache.iterdir()] == [built.parent.name], "nothing else is left"


def test_another_source_is_another_binary(
    cache: Path, tool: Callable[[str, str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool("cmake", CMAKE)
    tool("g++", "")
    before = build_runner("host")
    shutil.copytree(build.SOURCES, tmp_path / "source")
    monkeypatch.setattr(build, "SOURCES", tmp_path / "source")
    assert built_runner("host") == before

    (tmp_path / "source" / "main.cpp").write_text("int main() { return 0; }\n")

    assert built_runner("host") is None


def test_a_build_that_fails_is_told_in_one_line_and_leaves_nothing(
    cache: Path, tool: Callable[[str, str], None]
) -> None:
    tool("cmake", 'echo "-- The compiler"; echo "main.cpp:3: error: no such thing" >&2; exit 2')
    tool("g++", "")

    with pytest.raises(WorkError, match=r"cmake failed: main\.cpp:3: error: no such thing"):
        build_runner("host")
    assert list(cache.iterdir()) == []


def test_for_arm64_the_wheel_of_that_architecture_is_linked(
    cache: Path, tool: Callable[[str, str], None], tmp_path: Path
) -> None:
    tool("cmake", CMAKE + 'for word in "$@"; do case "$word" in -DEXECUTORCH_ROOT=*) test -f "${word#*=}/lib/'
         'libexecutorch.so" || exit 1; test ! -e "${word#*=}/backends" || exit 1;; esac; done')  # fmt: skip
    tool(CROSS_COMPILER, "")
    wheel = tmp_path / "executorch.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("lib/libexecutorch.so", "include/executorch/module.h", "backends/python.py"):
            archive.writestr(f"executorch/{name}", "")

    built = build_runner("arm64", wheel=wheel)

    assert built.is_file()
    assert built != built_runner("host")
    assert "arm64" in built.parent.name


@pytest.mark.parametrize(
    ("names", "complaint"),
    [(None, r"executorch\.whl: not a wheel"), (["executorch/lib/other.so"], r"holds no libexecutorch\.so")],
)
def test_a_file_that_is_no_such_wheel_is_refused(
    cache: Path, tool: Callable[[str, str], None], tmp_path: Path, names: list[str] | None, complaint: str
) -> None:
    tool("cmake", CMAKE)
    tool(CROSS_COMPILER, "")
    wheel = tmp_path / "executorch.whl"
    wheel.write_text("no archive")
    if names is not None:
        with zipfile.ZipFile(wheel, "w") as archive:
            for name in names:
                archive.writestr(name, "")

    with pytest.raises(InputError, match=complaint):
        build_runner("arm64", wheel=wheel)
    assert list(cache.iterdir()) == []


def test_the_command_builds_for_both_and_says_where(
    cache: Path, tool: Callable[[str, str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    tool("cmake", CMAKE)
    tool("g++", "")

    assert run_command(COMMANDS, "benchmarks", ["build-runner"]) == 2

    told = capsys.readouterr().err.splitlines()
    assert told[0] == f"host: {built_runner('host')}"
    assert told[1].startswith("error: no aarch64-linux-gnu-g++ here")
