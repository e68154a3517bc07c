"""Building the native runner: once for each version of its source and of ExecuTorch, kept in the user's cache.

For this machine it is linked against the installed ExecuTorch wheel; for arm64 Linux against the wheel of that
architecture, of the same version, with a cross compiler.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final, Literal

from benchmarks.cache import cache_folder, keep
from benchmarks.versions import executorch_version
from core.errors import InputError, WorkError

Architecture = Literal["host", "arm64"]

SOURCES: Final = Path(__file__).parent / "runner"
CROSS_COMPILER: Final = "aarch64-linux-gnu-g++"
PLATFORM: Final = "manylinux_2_28_aarch64"
HOST_COMPILERS: Final = ("c++", "g++", "clang++")


def built_runner(architecture: Architecture) -> Path | None:
    """The binary of today's source and ExecuTorch, if it was built."""
    binary = _folder(architecture) / "runner"
    return binary if binary.is_file() else None


def build_runner(architecture: Architecture, *, wheel: Path | None = None) -> Path:
    """The binary, built first where it is missing (about half a minute).

    `wheel`: file of ExecuTorch for arm64, fetched from the package index if not given. InputError where a tool is
    missing, WorkError where a tool fails.
    """
    found = built_runner(architecture)
    if found is not None:
        return found
    cmake = _tool("cmake", "install cmake")
    if architecture == "arm64":
        compiler = _tool(CROSS_COMPILER, "install the package g++-aarch64-linux-gnu")
        root = _arm64_wheel(wheel)
        system = ["-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64"]
    else:
        compiler, root, system = _host_compiler(), _installed(), []
    folder = _folder(architecture)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".building-") as scratch:
        build = Path(scratch) / "build"
        definitions = [f"-DEXECUTORCH_ROOT={root}", f"-DCMAKE_CXX_COMPILER={compiler}", "-DCMAKE_BUILD_TYPE=Release"]
        _run([cmake, "-S", str(SOURCES), "-B", str(build), *definitions, *system])
        _run([cmake, "--build", str(build), "--parallel", str(os.cpu_count() or 1)])
        ready = Path(scratch) / "ready"
        ready.mkdir()
        shutil.copy2(build / "runner", ready / "runner")
        keep(ready, folder)
    return folder / "runner"


def _folder(architecture: Architecture) -> Path:
    """Named by all that the binary depends on; where the libraries lie is written into it."""
    digest = hashlib.sha256()
    for file in sorted(SOURCES.iterdir()):
        digest.update(f"{file.name}\n".encode() + file.read_bytes())
    digest.update(str(_installed() if architecture == "host" else _arm64_folder()).encode())
    return cache_folder() / f"runner-{architecture}-executorch{executorch_version()}-{digest.hexdigest()[:16]}"


def _installed() -> Path:
    executorch_version()
    spec = importlib.util.find_spec("executorch")
    assert spec is not None
    places = [Path(place) for place in spec.submodule_search_locations or ()]
    return next((place for place in places if (place / "include").is_dir()), places[0])


def _host_compiler() -> str:
    chosen = os.environ.get("CXX")
    for name in (chosen,) if chosen else HOST_COMPILERS:
        found = shutil.which(name)
        if found is not None:
            return found
    raise InputError(f"no C++ compiler here ({chosen or ', '.join(HOST_COMPILERS)}); install g++ or clang")


def _tool(name: str, advice: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise InputError(f"no {name} here; {advice}")
    return found


def _arm64_folder() -> Path:
    return cache_folder() / f"executorch-{executorch_version()}-arm64"


def _arm64_wheel(wheel: Path | None) -> Path:
    """Headers and libraries of ExecuTorch for arm64 Linux, unpacked."""
    folder = _arm64_folder()
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as scratch:
        file = wheel if wheel is not None else _fetched(Path(scratch))
        try:
            with zipfile.ZipFile(file) as archive:
                wanted = ("executorch/include/", "executorch/lib/")
                archive.extractall(scratch, [name for name in archive.namelist() if name.startswith(wanted)])
        except (OSError, zipfile.BadZipFile) as error:
            raise InputError(f"{file}: not a wheel ({error}); give an executorch wheel for {PLATFORM}") from error
        unpacked = Path(scratch) / "executorch"
        if not (unpacked / "lib" / "libexecutorch.so").is_file():
            raise InputError(f"{file}: holds no libexecutorch.so; give an executorch wheel for {PLATFORM}")
        keep(unpacked, folder)
    return folder


def _fetched(folder: Path) -> Path:
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if importlib.util.find_spec("pip") is not None:
        pip = [sys.executable, "-m", "pip"]
    else:
        pip = [_tool("pip", "install it, or give the wheel with --wheel")]
    _run(
        [
            *pip, "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
            "--platform", PLATFORM, "--implementation", "cp", "--python-version", here, "--dest", str(folder),
            f"executorch=={executorch_version()}",
        ]
    )  # fmt: skip
    return next(folder.glob("*.whl"))


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        telling = next((line for line in lines if "error" in line.lower()), lines[0] if lines else "no word")
        raise WorkError(f"{Path(command[0]).name} failed: {telling}")
