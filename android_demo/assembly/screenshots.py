"""Pictures of every screen in every state, over pairs of settings, for people to look at."""

import shutil
from pathlib import Path

from android_demo.assembly.parts import gather
from android_demo.assembly.places import BUILD
from android_demo.assembly.resources import link_resources
from android_demo.assembly.testing import NEEDED, maven_test
from android_demo.assembly.tools import require_tools
from core.command_line import say

SCREENSHOTS = BUILD / "screenshots"


def take_screenshots(artifact: Path | None) -> list[Path]:
    """The PNG files. The person on them is that of `artifact`'s golden vectors (None: the bundle, or artifacts/demo).

    Raises InputError where a tool is missing, WorkError where a screen does not start.
    """
    require_tools(NEEDED)
    parts = gather()
    link_resources(parts)
    say("starting every screen (some minutes)")
    shutil.rmtree(SCREENSHOTS, ignore_errors=True)
    maven_test(parts, artifact, "-Dtest=Screenshots")
    return sorted(SCREENSHOTS.glob("*.png"))
