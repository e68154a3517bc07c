"""The artefact in the app's assets: there, whole, and executable by the packed runtime."""

from pathlib import Path

from android_demo.assembly.contents import check_table
from android_demo.assembly.freshness import redo
from android_demo.assembly.parts import Parts
from android_demo.assembly.places import ASSETS
from core.errors import InputError
from core.manifest import MANIFEST, Manifest, open_artifacts
from export.preflight import TABLE, refuse_what_is_missing


def bundled_artefact() -> Manifest:
    """The manifest of the bundle in the app's assets; InputError where there is none, or it is damaged."""
    if not (ASSETS / MANIFEST).is_file():
        raise InputError(
            "the app's assets hold no artefact; type `make demo`, then `make apk`, "
            "or `python -m export --run RUN --bundle` for a run of yours"
        )
    return open_artifacts(ASSETS)


def bundle_other(artifacts: Path) -> None:
    """Put the preferred program of a folder of artefacts into the app's assets, as `python -m export --bundle` does."""
    from export.bundle import bundle

    bundle(artifacts, ASSETS)


def check_program(parts: Parts) -> None:
    """InputError that names what the bundled program asks for and the packed runtime lacks."""

    def work() -> None:
        check_table(parts.runtimes())
        refuse_what_is_missing(program)

    manifest = bundled_artefact()
    assert manifest.preferred is not None
    program = ASSETS / manifest.preferred
    redo("program", work, inputs=[program, TABLE, *parts.runtimes().values()], outputs=[])
