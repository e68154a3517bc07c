"""The JVM tests: the detector on golden vectors, and every screen under Robolectric."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from android_demo.assembly.compiling import compile_kotlin
from android_demo.assembly.parts import Parts, gather
from android_demo.assembly.places import BUILD, TEST_CLASSES
from android_demo.assembly.resources import link_resources
from android_demo.assembly.tools import missing_tools, require_tools

NEEDED = ("java", "javac", "mvn", "npm", "aapt2")
LEAST_JDK = 17
REPORTS = BUILD / "maven/surefire-reports"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the last run of the tests said."""

    passed: int
    skipped: dict[str, str]
    """Why, by test."""


def missing_for_tests() -> list[str]:
    """What the JVM tests need and this machine lacks, in words."""
    missing = missing_tools(NEEDED)
    if "javac" not in missing:
        said = subprocess.run(["javac", "-version"], capture_output=True, text=True, check=False)
        version = re.search(r"javac (\d+)", said.stdout + said.stderr)
        if version is None or int(version[1]) < LEAST_JDK:
            missing.append(f"JDK {LEAST_JDK}")
    return missing


def run_jvm_tests(artifact: Path | None) -> Outcome:
    """Compile the app and run its tests on the golden vectors of `artifact` (None: the bundle, or artifacts/demo).

    Raises InputError where a tool is missing, WorkError where a test fails; its report is printed.
    """
    require_tools(NEEDED)
    parts = gather()
    link_resources(parts)
    # The compiler leaves the classes of a source that is gone, and their tests would run.
    for left in (REPORTS, TEST_CLASSES):
        shutil.rmtree(left, ignore_errors=True)
    maven_test(parts, artifact)
    return _outcome()


def maven_test(parts: Parts, artifact: Path | None, *words: str) -> None:
    """Compile the app and run JVM tests on the golden vectors of `artifact`; all of them without further `words`."""
    chosen = [] if artifact is None else [f"-Dmegatron.artifact={artifact.resolve()}"]
    compile_kotlin(parts, tests=(*words, *chosen))


def _outcome() -> Outcome:
    passed, skipped = 0, dict[str, str]()
    for report in sorted(REPORTS.glob("TEST-*.xml")):
        for case in ElementTree.parse(report).iter("testcase"):
            reason = case.find("skipped")
            if reason is None:
                passed += 1
            else:
                skipped[f"{case.get('classname')}: {case.get('name')}"] = reason.get("message") or ""
    return Outcome(passed=passed, skipped=skipped)
