"""Embeddings that are kept: exact, small, and never mixed up."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.decision import WINDOW
from core.embeddings import EmbeddingCache, Streams
from core.errors import InputError


def streams(seed: int, width: int = 384) -> Streams:
    return np.random.default_rng(seed).standard_normal((2, WINDOW, width)).astype(np.float16)


def test_the_references_cache_of_128_clips_takes_four_and_a_half_megabytes_at_most(tmp_path: Path) -> None:
    with EmbeddingCache(tmp_path / "cache") as cache:
        cache.put((f"clip{number}/0", streams(number)) for number in range(128))
        assert len(cache) == 128
    assert sum(file.stat().st_size for file in (tmp_path / "cache").iterdir()) <= 4_500_000


@given(seeds=st.lists(st.integers(0, 50), unique=True, max_size=6), width=st.sampled_from([8, 384]))
def test_what_was_put_is_what_is_got_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, seeds: list[int], width: int
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    with EmbeddingCache(folder) as cache:
        cache.put((f"clip{seed}", streams(seed, width)) for seed in seeds)
    with EmbeddingCache(folder) as cache:
        found = cache.get([*(f"clip{seed}" for seed in seeds), "clip99"])
    assert found.pop() is None
    for seed, clip in zip(seeds, found, strict=True):
        assert clip is not None
        np.testing.assert_array_equal(clip, streams(seed, width))


def test_a_clip_can_be_written_anew_and_a_copy_outlives_the_cache(tmp_path: Path) -> None:
    with EmbeddingCache(tmp_path) as cache:
        cache.put([("a", streams(1))])
        (before,) = cache.get(["a"])
        cache.put([("a", streams(2))])
        (after,) = cache.get(["a"])
    assert before is not None
    assert after is not None
    np.testing.assert_array_equal(before, streams(1))
    np.testing.assert_array_equal(after, streams(2))


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"nothing of the kind" * 1000)
    with pytest.raises(InputError, match=r"not an embedding cache"):
        EmbeddingCache(tmp_path)
