"""What is rendered once and kept, and what is rendered again."""

from collections.abc import Callable

import pytest

from core.clips import Slots, windows_of
from core.forgery import DEMO
from core.preprocess import PreprocessSpec
from core.store import ClipStore
from core.transforms import Variant
from distill import rendering
from distill.rendering import Renderer, Rendering
from tests.distill.conftest import MadeStore, record

SPEC = PreprocessSpec(size=32, margin=1.2)
PICTURE = 32 * 32 * (3 + 1 + 1)
"""Bytes of one frame, its depth and its mask."""


@pytest.fixture
def rendered(made_store: MadeStore, monkeypatch: pytest.MonkeyPatch) -> tuple[list[int], Callable[[int], Slots]]:
    """The slots that were rendered so far, and what asks a renderer with room for two for one more."""
    store = made_store([record("real", is_fake=False)])
    (window,) = windows_of(list(store.records()), min_coverage=0.0)
    done: list[int] = []
    carried_out = Rendering.carried_out

    def counted(self: Rendering, store: ClipStore) -> Slots:
        done.extend(self.slots)
        return carried_out(self, store)

    monkeypatch.setattr(Rendering, "carried_out", counted)
    monkeypatch.setattr(rendering, "KEPT_BYTES", 2 * PICTURE)
    renderer = Renderer(store)

    def get(slot: int) -> Slots:
        return renderer.get(
            str(slot),
            Rendering(window=window, slots=(slot,), spec=SPEC, variant=Variant(), k=0, seed=0, twin_forgery=DEMO),
        )

    return done, get


def test_the_last_that_were_asked_for_are_kept(rendered: tuple[list[int], Callable[[int], Slots]]) -> None:
    done, get = rendered

    for slot in (0, 1, 0, 2, 0, 1):
        get(slot)

    # 2 takes the place of 1, since 0 was asked for after it.
    assert done == [0, 1, 2, 1]


def test_what_was_kept_is_what_was_rendered(rendered: tuple[list[int], Callable[[int], Slots]]) -> None:
    _, get = rendered
    assert get(3) is get(3)
