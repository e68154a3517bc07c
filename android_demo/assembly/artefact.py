"""The artefact in the app's assets: there, whole, and executable by the packed runtime."""

from android_demo.assembly.places import ASSETS
from core.errors import InputError
from core.manifest import MANIFEST, Manifest, open_artifacts


def bundled_artefact() -> Manifest:
    """The manifest of the bundle; InputError where there is none, or it is damaged."""
    if not (ASSETS / MANIFEST).is_file():
        raise InputError(
            "the app's assets hold no artefact; type `make demo`, then `make apk`, "
            "or `python -m export --run RUN --bundle` for a run of yours"
        )
    return open_artifacts(ASSETS)
