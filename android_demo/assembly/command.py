"""`python -m android_demo.assembly`: the app without Gradle."""

from dataclasses import dataclass
from pathlib import Path

from core.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Prepare:
    """Fetch and check what other people made, link the resources: what `mvn` needs to compile and test by itself."""

    def execute(self) -> int:
        """See `android_demo.assembly.parts` and `.resources`."""
        from android_demo.assembly.parts import gather
        from android_demo.assembly.resources import link_resources

        link_resources(gather())
        return 0


@dataclass(frozen=True, kw_only=True)
class Apk:
    """Compile, shrink, package and sign the app with the artefact in its assets; only what changed is done again."""

    abi: tuple[str, ...] = ("arm64-v8a",)
    """arm64-v8a, x86_64 (for emulators) or both."""
    artifact: Path | None = None
    """Folder of artefacts to bundle first; if not given, what `python -m export --bundle` bundled."""

    def execute(self) -> int:
        """See `compiling` and `packaging`."""
        from android_demo.assembly.artefact import bundle_other, bundled_artefact, check_program
        from android_demo.assembly.compiling import compile_kotlin, shrink
        from android_demo.assembly.packaging import package
        from android_demo.assembly.parts import ABIS, gather
        from android_demo.assembly.places import APK
        from android_demo.assembly.resources import link_resources

        unknown = [abi for abi in self.abi if abi not in ABIS]
        if unknown or not self.abi:
            raise InputError(f"--abi {' '.join(unknown)}: allowed are {', '.join(ABIS)}")
        if self.artifact is not None:
            bundle_other(self.artifact)
        bundled_artefact()
        parts = gather()
        check_program(parts)
        link_resources(parts)
        compile_kotlin(parts)
        shrink(parts)
        changed = package(parts, self.abi)
        print(f"{APK}  {APK.stat().st_size / 1e6:.1f} MB{'' if changed else ', unchanged'}")
        return 0


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """Record what the packed runtime contains, after its version was changed."""

    def execute(self) -> int:
        """See `android_demo.assembly.contents`."""
        from android_demo.assembly.contents import write_table
        from android_demo.assembly.parts import gather
        from export.preflight import TABLE

        news = write_table(gather().runtimes())
        print(f"{TABLE}{'' if news else ', unchanged'}")
        return 0


@dataclass(frozen=True, kw_only=True)
class Test:
    """Run the JVM tests on the golden vectors of an artefact."""

    artifact: Path | None = None
    """Folder of artefacts; if not given, the bundle in the app's assets, or else artifacts/demo."""

    def execute(self) -> int:
        """See `android_demo.assembly.testing`."""
        from android_demo.assembly.testing import run_jvm_tests

        outcome = run_jvm_tests(self.artifact)
        for test, reason in outcome.skipped.items():
            print(f"skipped {test}: {reason}")
        print(f"{outcome.passed} JVM tests passed, {len(outcome.skipped)} skipped")
        return 0


@dataclass(frozen=True, kw_only=True)
class Screenshots:
    """Take pictures of every screen, over pairs of orientation, theme, language and font size."""

    artifact: Path | None = None
    """Folder of artefacts whose golden person is shown; if not given, the bundle, or else artifacts/demo."""

    def execute(self) -> int:
        """See `android_demo.assembly.screenshots`."""
        from android_demo.assembly.screenshots import SCREENSHOTS, take_screenshots

        print(f"{len(take_screenshots(self.artifact))} pictures in {SCREENSHOTS}")
        return 0


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """Time preprocessing of 1080p frames in Kotlin on this machine beside OpenCV on one thread."""

    def execute(self) -> int:
        """Exit code 3 where Kotlin takes too long or allocates."""
        from android_demo.assembly.speed import ALLOWED, measure_preprocessing

        holds = True
        for speed in measure_preprocessing():
            print(
                f"{speed.reads}: Kotlin {speed.kotlin_ms:.2f} ms, OpenCV on one thread {speed.opencv_ms:.2f} ms, "
                f"ratio {speed.ratio:.2f} (at most {ALLOWED:g}); "
                f"{speed.allocated_bytes} bytes allocated in {speed.calls} calls"
            )
            holds &= speed.ratio <= ALLOWED and speed.allocated_bytes == 0
        return 0 if holds else 3
