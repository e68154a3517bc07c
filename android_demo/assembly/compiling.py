"""Kotlin to class files with Maven, class files to a small classes.dex with R8."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from android_demo.assembly.catalog import versions
from android_demo.assembly.freshness import redo
from android_demo.assembly.parts import Parts, check
from android_demo.assembly.places import BUILD, CATALOG, CLASSES, DEMO, GENERATED, MAIN, WORK
from android_demo.assembly.resources import KEPT_CLASSES
from android_demo.assembly.tools import SHORT_LIVED, jdk_home, maven_class_path, require_tools, run
from core.command_line import say

PART_GROUP = "org/megatron/parts"
RULES = DEMO / "app/proguard-rules.pro"
CLASS_PATH = WORK / "class-path.txt"
DEX = WORK / "dex"


def compile_kotlin(parts: Parts, *, tests: Sequence[str] | None = None) -> None:
    """Make the class files and the list of jars that go into the app beside them, each held to its checksum.

    With `tests`, which are words for Maven, the JVM tests run in the same call, whether anything changed or not.
    """
    require_tools(("javac", "mvn"))
    goals = ("process-classes",) if tests is None else ("test", *tests)

    def work() -> None:
        say("compiling" if tests is None else "compiling, and running the JVM tests")
        # The compiler leaves the classes of a source that is gone.
        shutil.rmtree(CLASSES, ignore_errors=True)
        maven_class_path(*goals, "-DincludeScope=runtime", to=CLASS_PATH, folder=DEMO)

    redo(
        "classes",
        work,
        inputs=[MAIN / "kotlin", GENERATED, DEMO / "pom.xml", CATALOG, parts.maven],
        outputs=[CLASSES, CLASS_PATH],
        always=tests is not None,
    )


def app_jars() -> list[Path]:
    """The jars on the app's class path."""
    return [Path(path) for path in CLASS_PATH.read_text().strip().split(":")]


def shrink(parts: Parts) -> None:
    """Make classes.dex of the app and its jars; what is never reached is left out."""

    def work() -> None:
        say("shrinking")
        for jar in app_jars():
            # What was taken out of an archive was held to its checksum then.
            if PART_GROUP not in jar.as_posix():
                check(jar)
        archive = shutil.make_archive(str(WORK / "classes"), "zip", CLASSES)
        shutil.rmtree(DEX, ignore_errors=True)
        DEX.mkdir()
        # Framework and JDK are two: java.* is in neither jar of the framework alone.
        run(
            "java", *SHORT_LIVED, "-cp", parts.r8, "com.android.tools.r8.R8", "--release",
            "--min-api", versions()["minSdk"], "--lib", parts.android, "--lib", jdk_home(),
            "--pg-conf", RULES, "--pg-conf", KEPT_CLASSES,
            "--pg-map-output", BUILD / "mapping.txt", "--output", DEX, archive, *app_jars(),
        )  # fmt: skip

    redo(
        "dex",
        work,
        inputs=[CLASSES, RULES, KEPT_CLASSES, CATALOG, CLASS_PATH, parts.maven, Path(__file__)],
        outputs=[DEX / "classes.dex"],
    )
