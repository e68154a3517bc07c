"""Versions of what took part in a run."""

from importlib.metadata import PackageNotFoundError, version

from core.runtimes import missing_extra

PACKAGES = ("torch", "executorch", "torchao", "onnxruntime", "coremltools", "timm", "numpy")


def executorch_version() -> str:
    """Of the installed wheel, without what tells one build of a release from another; InputError where none is."""
    try:
        return version("executorch").split("+")[0]
    except PackageNotFoundError as error:
        raise missing_extra("executorch", error) from error


def installed_versions() -> dict[str, str]:
    """Of this project, and of those packages that are installed."""
    from core.runs import code_version

    found = {"megatron-mobile": code_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
