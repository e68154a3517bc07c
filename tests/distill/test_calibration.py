"""Temperature and threshold, on scores whose right answer is known."""

import numpy as np
import pytest

from core.decision import Decision
from core.metrics import ScoredWindow
from distill.calibration import TEMPERATURES, Calibration, Threshold, calibrated


def window(video: str, margin: float, *, is_fake: bool) -> ScoredWindow:
    """A video with one window whose fake logit is `margin` above its real one."""
    return ScoredWindow(video=video, is_fake=is_fake, logits=(0.0, margin), frame_logits=())


def simulated(videos: int, overconfidence: float) -> list[ScoredWindow]:
    """Videos that are fake with probability sigmoid(m), scored with the margin `overconfidence` times m."""
    generator = np.random.default_rng(0)
    margins = generator.normal(0, 2, videos)
    fakes = generator.random(videos) < 1 / (1 + np.exp(-margins))
    return [
        window(str(place), overconfidence * margin, is_fake=bool(fake))
        for place, (margin, fake) in enumerate(zip(margins.tolist(), fakes, strict=True))
    ]


@pytest.mark.parametrize("overconfidence", [0.5, 1.0, 2.5])
def test_the_temperature_undoes_a_known_overconfidence(overconfidence: float) -> None:
    decision = calibrated(simulated(2000, overconfidence), Decision()).decision

    assert decision.temperature == pytest.approx(overconfidence, rel=0.1)


def test_the_temperature_stays_within_its_bounds() -> None:
    right = [window(f"video{place}", 1.0 if place % 2 else -1.0, is_fake=bool(place % 2)) for place in range(2000)]
    wrong = [window(f"video{place}", -1.0 if place % 2 else 1.0, is_fake=bool(place % 2)) for place in range(2000)]

    assert calibrated(right, Decision()).decision.temperature == TEMPERATURES[0] == 0.25
    assert calibrated(wrong, Decision()).decision.temperature == TEMPERATURES[-1] == pytest.approx(4.0, rel=0.02)


def test_a_few_right_answers_make_a_model_only_a_little_surer() -> None:
    # Of least log loss alone, four videos would take the least temperature that is allowed.
    few = [window(f"video{place}", 1.0 if place % 2 else -1.0, is_fake=bool(place % 2)) for place in range(4)]

    assert 0.5 < calibrated(few, Decision()).decision.temperature < 1.0


def test_variants_of_a_video_make_a_model_no_surer_than_the_video_does() -> None:
    few = [window(f"video{place}", 1.0 if place % 2 else -1.0, is_fake=bool(place % 2)) for place in range(4)]
    varied = [window(f"{row.video} {k}", row.logits[1], is_fake=row.is_fake) for row in few for k in range(8)]

    assert calibrated(varied, Decision(), variants=8).decision == calibrated(few, Decision()).decision


def test_the_threshold_at_equal_error_separates_the_classes() -> None:
    # All margins are positive: at 0.5 every video would be called fake.
    reals = [window(f"real{place}", 2.0 + 0.1 * place, is_fake=False) for place in range(5)]
    fakes = [window(f"fake{place}", 4.0 + 0.1 * place, is_fake=True) for place in range(5)]

    decision = calibrated(reals + fakes, Decision()).decision

    assert [decision.label(decision.probability([row.logits])) for row in reals] == ["real"] * 5
    assert [decision.label(decision.probability([row.logits])) for row in fakes] == ["fake"] * 5


def test_a_video_counts_once_however_many_windows_it_has() -> None:
    # Its windows' mean margin of 1 is one right answer beside the wrong one: as sure as unsure.
    right = [window("long", margin, is_fake=True) for margin in (0.0, 1.0, 2.0)]
    others = [window("real", -1.0, is_fake=False), window("wrong", 1.0, is_fake=False)]
    short = [window("long", 1.0, is_fake=True)]

    assert calibrated(right + others, Decision()) == calibrated(short + others, Decision())


@pytest.mark.parametrize("is_fake", [False, True])
def test_validation_of_one_class_changes_nothing(is_fake: bool) -> None:
    decision = Decision(temperature=1.5, threshold=0.4)

    found = calibrated([window("a", 3.0, is_fake=is_fake)], decision)

    assert found == Calibration(decision=decision, ece_before=None, ece_after=None)


def test_only_temperature_and_threshold_are_fitted() -> None:
    before = Decision(frame_rate=7.0, hop=5, min_coverage=0.3)

    after = calibrated(simulated(50, 1.0), before).decision

    assert after.model_dump(exclude={"temperature", "threshold"}) == before.model_dump(
        exclude={"temperature", "threshold"}
    )


def test_calibration_lowers_the_error_of_an_overconfident_model() -> None:
    found = calibrated(simulated(2000, 2.5), Decision())

    assert found.ece_before is not None
    assert found.ece_after is not None
    assert found.ece_after < 0.03 < found.ece_before


@pytest.mark.parametrize(("rate", "alarms"), [(0.0, 0), (0.2, 1), (0.5, 2)])
def test_a_chosen_false_alarm_rate_is_not_exceeded(rate: float, alarms: int) -> None:
    # Five real videos at -2, -1, 0, 1 and 2; the fakes lie between them.
    reals = [window(f"real{place}", place - 2.0, is_fake=False) for place in range(5)]
    fakes = [window(f"fake{place}", place - 1.5, is_fake=True) for place in range(5)]

    decision = calibrated(reals + fakes, Decision(), Threshold(false_alarm_rate=rate)).decision

    called = [decision.label(decision.probability([row.logits])) for row in reals]
    assert called.count("fake") == alarms


def test_a_rate_that_calls_every_real_video_fake_is_refused() -> None:
    with pytest.raises(ValueError, match="false_alarm_rate 1: allowed is 0 to below 1, or None"):
        Threshold(false_alarm_rate=1)
