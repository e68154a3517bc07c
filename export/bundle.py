"""The app's assets: the preferred artefact with a manifest of its own and the golden vectors, replaced whole."""

import shutil
from pathlib import Path

from core.errors import InputError
from core.golden import read_golden
from core.manifest import MANIFEST, Manifest, open_artifacts, open_to_judge, read_manifest
from core.runs import write_json
from core.runtimes import preferred_artifact
from export.folder import put_in_place, staging
from export.preflight import refuse_what_is_missing

ASSETS = Path("android_demo/app/src/main/assets")


def bundle(artifacts: Path, assets: Path = ASSETS, *, allow_untrained: bool = False) -> Manifest:
    """Copy what the app runs from a folder of artefacts to `assets`; the manifest that was written there.

    A former bundle is replaced whole or, where anything fails, not at all. Raises InputError where the artefacts are
    damaged or untrained, where none of them is for ExecuTorch, where the app's runtime lacks what the program asks for,
    or where `assets` holds anything but a bundle.
    """
    manifest = open_to_judge(artifacts, allow_untrained=allow_untrained)
    row = preferred_artifact(manifest)
    if row.target != "executorch":
        raise InputError(
            f"{artifacts}: prefers {row.path}, and the app runs ExecuTorch; "
            "type `python -m export --target executorch --bundle`"
        )
    if manifest.golden is None:
        raise InputError(f"{artifacts}: has no golden vectors, which the app checks itself with; export it again")
    refuse_other_assets(assets)
    refuse_what_is_missing(artifacts / row.path)
    with staging(assets) as scratch:
        shutil.copy2(artifacts / row.path, scratch / row.path)
        shutil.copytree(artifacts / manifest.golden, scratch / manifest.golden)
        write_json(scratch / MANIFEST, manifest.model_copy(update={"artifacts": (row,)}))
        # What was copied is what was checked, or it is not put in place.
        bundled = open_artifacts(scratch)
        read_golden(scratch / manifest.golden)
        put_in_place(scratch, assets)
    return bundled


def refuse_other_assets(assets: Path) -> None:
    """InputError where `assets` holds something that is no bundle."""
    if not assets.exists() or (assets.is_dir() and not any(assets.iterdir())):
        return
    try:
        read_manifest(assets / MANIFEST)
    except InputError as error:
        raise InputError(f"{assets}: holds no bundle of ours and is not replaced; move what is there away") from error
