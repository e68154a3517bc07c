"""The app's own tests, on the artefact that the line exported: the same vectors that Python's tests stand on."""

from typing import TYPE_CHECKING

import pytest

from android_demo.assembly.testing import missing_for_tests, run_jvm_tests

if TYPE_CHECKING:
    from tests.line import Line


def test_kotlin_gives_the_same_answer_and_every_screen_starts(request: pytest.FixtureRequest) -> None:
    missing = missing_for_tests()
    if missing:
        pytest.skip(f"the app's JVM tests need {', '.join(missing)}, which this machine lacks")
    line: Line = request.getfixturevalue("line")

    outcome = run_jvm_tests(line.artifacts)

    assert outcome.passed > 0
    # With the line's artefact there is nothing to skip for: ONNX programs and golden vectors are both in it.
    assert outcome.skipped == {}
