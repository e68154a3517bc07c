"""Versions of what took part in a run."""

from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("torch", "executorch", "torchao", "onnxruntime", "coremltools", "timm", "numpy")


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
