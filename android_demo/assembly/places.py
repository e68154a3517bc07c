"""Where everything of the app's build lies."""

import os
from pathlib import Path

DEMO = Path(__file__).resolve().parent.parent
"""`android_demo/`."""

MAIN = DEMO / "app/src/main"
ASSETS = MAIN / "assets"
CATALOG = DEMO / "gradle/libs.versions.toml"
CHECKSUMS = DEMO / "gradle/parts.sha256"
MAVEN_CONFIG = DEMO / ".mvn/maven.config"

PARTS = DEMO / ".parts"
"""What other people made, fetched once: outside the build folder, which may be removed at any time."""

BUILD = DEMO / "build"
WORK = BUILD / "apk"
GENERATED = WORK / "generated"
TEST_CONFIG = WORK / "test-config"
CLASSES = BUILD / "maven/classes"
TEST_CLASSES = BUILD / "maven/test-classes"
APK = BUILD / "megatron.apk"


def debug_keystore() -> Path:
    """The key that Android Studio signs with, too: apps of either build replace each other on a phone."""
    home = os.environ.get("ANDROID_USER_HOME")
    return (Path(home) if home else Path.home() / ".android") / "debug.keystore"
