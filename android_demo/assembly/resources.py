"""Resources and the Android manifest: compiled, linked, and told to Kotlin and to Robolectric."""

import shutil
import tomllib
from pathlib import Path

from android_demo.assembly.catalog import versions
from android_demo.assembly.files import write_if_new
from android_demo.assembly.freshness import redo
from android_demo.assembly.parts import Parts
from android_demo.assembly.places import ASSETS, DEMO, GENERATED, MAIN, TEST_CONFIG, WORK
from android_demo.assembly.tools import require_tools, run
from export.preflight import TABLE, packed_runtime

NAMESPACE = "org.megatron.mobile"
LINKED = WORK / "resources.ap_"
KEPT_CLASSES = WORK / "manifest-rules.pro"
MANIFEST = WORK / "AndroidManifest.xml"


def link_resources(parts: Parts) -> None:
    """Make the linked resources, the class R, the rules that keep the manifest's classes, and Robolectric's settings.

    InputError where a tool is missing, WorkError with aapt2's complaint where a resource is wrong.
    """
    require_tools(("aapt2",))
    source = MAIN / "AndroidManifest.xml"
    redo(
        "resources",
        lambda: _link(parts, source),
        inputs=[MAIN / "res", source, parts.framework, TABLE, Path(__file__)],
        outputs=[LINKED, KEPT_CLASSES, GENERATED],
        words=[*sdk_flags(), version_name()],
    )
    write_if_new(
        TEST_CONFIG / "com/android/tools/test_config.properties",
        f"android_merged_manifest={MANIFEST}\nandroid_merged_assets={ASSETS}\n"
        f"android_resource_apk={LINKED}\nandroid_custom_package={NAMESPACE}\n",
    )


def sdk_flags() -> list[str]:
    """What aapt2 is told of the app's versions."""
    known = versions()
    return [
        "--min-sdk-version", known["minSdk"], "--target-sdk-version", known["targetSdk"],
        "--version-code", known["versionCode"],
        # Debuggable, as a debug key asks for: without it adb may not read what the benchmark wrote.
        "--debug-mode",
    ]  # fmt: skip


def version_name() -> str:
    """The project's own version."""
    return str(tomllib.loads((DEMO.parent / "pyproject.toml").read_text())["project"]["version"])


def _link(parts: Parts, source: Path) -> None:
    shutil.rmtree(GENERATED, ignore_errors=True)
    GENERATED.mkdir(parents=True)
    # Gradle takes the package from its own script and refuses one in the file; aapt2 needs it there.
    text = source.read_text().replace("<manifest ", f'<manifest package="{NAMESPACE}" ', 1)
    write_if_new(MANIFEST, text.replace("${executorchVersion}", packed_runtime().package))
    compiled = WORK / "resources.zip"
    run("aapt2", "compile", "--dir", MAIN / "res", "-o", compiled)
    run(
        "aapt2", "link", "-o", LINKED, "-I", parts.framework, "--manifest", MANIFEST, "--java", GENERATED,
        "--proguard", KEPT_CLASSES, *sdk_flags(), "--version-name", version_name(), "--auto-add-overlay", compiled,
    )  # fmt: skip
