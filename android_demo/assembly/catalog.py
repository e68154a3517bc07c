"""The version catalog: the one place for versions, read by Gradle as it is and given to Maven here."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from android_demo.assembly.files import write_if_new
from android_demo.assembly.places import CATALOG, MAVEN_CONFIG
from android_demo.assembly.tools import SHORT_LIVED


def versions(file: Path = CATALOG) -> Mapping[str, str]:
    """Every version of the catalog by its name."""
    table = tomllib.loads(file.read_text())["versions"]
    return {name: str(version) for name, version in table.items()}


def write_maven_config() -> None:
    """Every version as a property on Maven's command line, and how its JVM runs: it reads these files by itself."""
    write_if_new(MAVEN_CONFIG.with_name("jvm.config"), "\n".join(SHORT_LIVED) + "\n")
    write_if_new(MAVEN_CONFIG, "".join(f"-D{name}={version}\n" for name, version in versions().items()))
