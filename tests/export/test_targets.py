"""Which variants a command line names."""

import pytest

from core.errors import InputError
from export.targets import PREFERRED, VARIANTS, chosen_variants


def chosen(target: str, precision: str | None) -> set[tuple[str, str]]:
    return {(variant.target, variant.precision) for variant in chosen_variants(target, precision)}


def test_without_a_precision_a_target_has_its_usual_two() -> None:
    assert chosen("executorch", None) == {("executorch", "fp32"), ("executorch", "int8")}
    assert chosen("coreml", None) == {("coreml", "fp16"), ("coreml", "int8")}
    assert chosen("onnx", None) == {("onnx", "fp32")}


def test_all_targets_are_every_variant() -> None:
    assert chosen_variants("all", None) == [variant for variant in VARIANTS if not variant.by_name_only]
    assert chosen("all", "int8") == {("executorch", "int8"), ("coreml", "int8"), ("onnx", "int8")}


def test_auto_tries_everything_that_a_target_has() -> None:
    assert chosen("onnx", "auto") == {("onnx", "fp32"), ("onnx", "int8")}
    assert chosen_variants("all", "auto") == [variant for variant in VARIANTS if not variant.built_only]


def test_an_unknown_target_lists_the_allowed_ones() -> None:
    with pytest.raises(InputError, match=r"--target tflite: unknown; allowed are executorch, coreml, onnx and all"):
        chosen_variants("tflite", None)


@pytest.mark.parametrize(
    ("target", "precision", "allowed"),
    [
        ("coreml", "fp32", "fp16, int8, w8a8, auto"),
        ("onnx", "fp16", "fp32, int8, auto"),
        ("all", "int4", "fp16, fp32, int8, w8a8, auto"),
    ],
)
def test_a_precision_that_the_target_lacks_lists_the_allowed_ones(target: str, precision: str, allowed: str) -> None:
    with pytest.raises(InputError, match=f"--precision {precision}: for --target {target} allowed are {allowed}$"):
        chosen_variants(target, precision)


def test_every_variant_has_a_path_of_its_own() -> None:
    assert len({variant.path for variant in VARIANTS}) == len(VARIANTS)


def test_only_what_can_be_executed_here_is_preferred() -> None:
    here = {variant.path for variant in VARIANTS if variant.target != "coreml" and not variant.built_only}
    assert set(PREFERRED) == here


def test_delegates_that_nothing_here_executes_are_made_for_who_asks_by_both_names() -> None:
    assert {variant.backend for variant in chosen_variants("executorch", "fp16")} == {"vulkan", "coreml"}
    assert not any(variant.built_only for variant in chosen_variants("all", "fp16"))
    assert not any(variant.built_only for variant in chosen_variants("executorch", None))
