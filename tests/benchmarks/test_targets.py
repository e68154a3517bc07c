"""targets.toml: what it must hold, and what is refused."""

from pathlib import Path

import pytest

from benchmarks.targets import HOST, TARGETS, Estimate, Published, Targets, estimate, read_targets
from core.errors import InputError


@pytest.fixture(scope="module")
def targets() -> Targets:
    return read_targets()


def test_every_phone_has_all_four_budgets_and_a_reason(targets: Targets) -> None:
    assert len(targets.phones) >= 5
    for phone in targets.phones:
        budget = phone.budget
        assert None not in (budget.frame_ms, budget.peak_bytes, budget.size_bytes, budget.cold_load_ms), phone.id
        # The camera runs in the same 33.3 ms.
        assert budget.frame_ms is not None
        assert budget.frame_ms <= 1000 / 30 / 2 + 0.1
        assert phone.reason
        assert phone.share


def test_a_machine_without_a_phone_is_held_by_ratio_and_not_by_time(targets: Targets) -> None:
    (host,) = (target for target in targets.targets if target.id == HOST)

    assert host.budget.frame_anchors is not None
    assert host.budget.frame_ms is None


@pytest.mark.parametrize(
    ("model", "device", "runtime", "precision", "latency_ms"),
    [
        ("RepViT-M0.9", "Apple iPhone 12", "coreml", None, 0.9),
        ("RepViT-M1.0", "Apple iPhone 12", "coreml", None, 1.0),
        ("RepViT-M2.3", "Apple iPhone 12", "coreml", None, 2.3),
        ("Depth Anything V1 Small", "Apple iPhone 12 Pro Max", "coreml", "fp16", 31.1),
        ("Depth Anything V2 Small", "Apple iPhone 17 Pro", "coreml", "fp16", 42.7),
        ("Depth Anything V2 Small", "Apple iPhone 17 Pro", "xnnpack", "fp32", 500.8),
        ("MobileNetV2", "Samsung Galaxy S24", "tflite", "float", 0.6),
        ("MobileNetV2", "Samsung Galaxy S24", "tflite", "int8", 0.29),
        ("EfficientNet-Lite0", "Google Pixel 4", "tflite", "fp32", 12.0),
        ("EfficientNet-Lite0", "Google Pixel 4", "tflite", "int8", 6.5),
    ],
)
def test_published_figures_are_there_with_source_and_date(
    targets: Targets, model: str, device: str, runtime: str, precision: str | None, latency_ms: float
) -> None:
    key = (model, device, runtime, precision)
    (found,) = (one for one in targets.published if (one.model, one.device, one.runtime, one.precision) == key)

    assert found.latency_ms == latency_ms
    assert found.source
    assert found.date


def test_a_phone_is_known_by_what_it_calls_itself(targets: Targets) -> None:
    found = targets.of_device("android", "SM-A546B")

    assert found is not None
    assert found.id == "galaxy-a54"
    assert targets.of_device("android", "another phone") is None
    assert targets.of_device("arm64", None) is None


def published(runtime: str, precision: str | None) -> Published:
    return Published.model_validate(
        {
            "model": "RepViT-M0.9",
            "device": "Google Pixel 8",
            "runtime": runtime,
            "precision": precision,
            "where": "its CPU",
            "latency_ms": 20.0,
            "source": "a paper",
            "date": "2026",
        }
    )


def test_an_estimate_is_the_ratio_times_the_anchors_published_figure_and_says_so(targets: Targets) -> None:
    pixel = next(phone for phone in targets.phones if phone.id == "pixel-8")

    told = estimate(pixel, 0.4, "xnnpack", [published("xnnpack", "fp32")])

    assert isinstance(told, Estimate)
    assert told.latency_ms == pytest.approx(8.0)
    assert told.kind == "estimated"
    assert told.method == ("0.40 times the anchor here, times 20 ms, the published RepViT-M0.9 under its CPU (2026)")


@pytest.mark.parametrize(("runtime", "precision"), [("coreml", "fp32"), ("xnnpack", "fp16"), ("xnnpack", None)])
def test_a_figure_of_another_runtime_or_precision_gives_no_estimate(
    targets: Targets, runtime: str, precision: str | None
) -> None:
    pixel = next(phone for phone in targets.phones if phone.id == "pixel-8")

    told = estimate(pixel, 0.4, "xnnpack", [published(runtime, precision)])

    assert isinstance(told, str)
    assert "does not carry over" in told
    assert estimate(pixel, 0.4, "xnnpack", []) == "nobody published RepViT-M0.9 on it"


def test_the_iphones_published_core_ml_figure_is_no_ground_for_an_estimate_from_xnnpack(targets: Targets) -> None:
    iphone = next(phone for phone in targets.phones if phone.id == "iphone-12")

    told = estimate(iphone, 0.4, "xnnpack", targets.published)

    assert told == (
        "RepViT-M0.9 is published under Core ML, precision not stated, the ratio is under xnnpack fp32: "
        "it does not carry over"
    )


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("frame_ms = 8.0", "frame_ms = -8.0", r"targets\.1\.budget\.frame_ms: Input should be greater than 0"),
        ('date = "2020-03"', 'date = "March"', r"published\.8\.date: String should match pattern"),
        ('id = "pixel-8"', 'id = "iphone-12"', "the id 'iphone-12' is there twice"),
        ("size_bytes = 24_000_000", "size = 24", r"budget\.size: Extra inputs are not permitted"),
        ("schema_version = 1", "schema_version = 2", r"schema_version: Input should be 1"),
        ("schema_version = 1", "schema_version =", "no TOML"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    text = TARGETS.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "targets.toml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(InputError, match=complaint) as refused:
        read_targets(file)

    assert "\n" not in str(refused.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_targets(tmp_path / "none.toml")
