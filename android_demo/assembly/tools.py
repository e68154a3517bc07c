"""Other people's programs: found or named as missing, run with their complaints in one place."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from core.command_line import say
from core.errors import InputError, WorkError

PACKAGES = {
    "javac": "default-jdk-headless",
    "java": "default-jdk-headless",
    "keytool": "default-jdk-headless",
    "mvn": "maven",
    "npm": "npm",
    "aapt2": "aapt",
    "zipalign": "zipalign",
    "apksigner": "apksigner",
}
"""The Debian package of every program that the build calls."""

SHORT_LIVED = ("-Xms1g", "-Xmx3g", "-XX:+UseParallelGC", "-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=240m")
"""For a JVM that ends before its best compiler has paid off: on two cores half of the time goes there.

The code cache that comes with that choice is small. Kotlin's compiler fills it, and from then on all is interpreted.
"""


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
    """Run a program to its end; its stdout. Where it fails, what it said goes to stderr and WorkError names it."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        say((done.stdout + done.stderr).strip())
        raise WorkError(f"{Path(words[0]).name} failed with exit code {done.returncode}; its own words are above")
    return done.stdout


def maven(*words: str | Path, folder: Path) -> str:
    """Run Maven quietly in `folder`; see `run`."""
    return run("mvn", "-q", "-B", *words, folder=folder)


def maven_class_path(*words: str, to: Path | str, folder: Path) -> None:
    """As `maven`; the paths of the jars that the project then has, separated by colons, go into the file `to`."""
    goal = "org.apache.maven.plugins:maven-dependency-plugin:build-classpath"
    maven(*words, goal, f"-Dmdep.outputFile={to}", folder=folder)


def jdk_home() -> Path:
    """The JDK that `javac` belongs to."""
    found = shutil.which("javac")
    assert found is not None
    return Path(found).resolve().parent.parent
