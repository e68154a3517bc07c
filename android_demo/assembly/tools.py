"""Other people's programs: found or named as missing, run with their complaints in one place."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from core.errors import InputError, WorkError

PACKAGES = {
    "javac": "openjdk-17-jdk-headless",
    "java": "openjdk-17-jdk-headless",
    "keytool": "openjdk-17-jdk-headless",
    "mvn": "maven",
    "npm": "npm",
    "aapt2": "aapt",
    "zipalign": "zipalign",
    "apksigner": "apksigner",
}
"""The Debian package of every program that the build calls."""


def missing_tools(names: Sequence[str]) -> list[str]:
    """Those of `names` that are not on the path."""
    return [name for name in names if shutil.which(name) is None]


def require_tools(names: Sequence[str]) -> None:
    """InputError with the packages to install where programs are missing."""
    missing = missing_tools(names)
    if missing:
        packages = " ".join(sorted({PACKAGES[name] for name in missing}))
        raise InputError(f"{', '.join(missing)} not found; type `apt-get install --no-install-recommends {packages}`")


def run(*command: str | Path, folder: Path | None = None) -> str:
    """Run a program to its end; its stdout. WorkError with the end of what it said where it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise WorkError(f"{Path(words[0]).name} failed: " + "\n".join(said[-30:]))
    return done.stdout


def jdk_home() -> Path:
    """The JDK that `javac` belongs to."""
    found = shutil.which("javac")
    assert found is not None
    return Path(found).resolve().parent.parent
