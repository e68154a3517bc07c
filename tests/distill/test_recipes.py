"""Recipes: what they promise and how they are written down."""

import json
from dataclasses import asdict

import pytest

from core.errors import InputError
from core.products import PRODUCTS
from distill.recipes import RECIPES, recipe_named


def test_an_unknown_recipe_lists_the_allowed_ones() -> None:
    with pytest.raises(InputError, match=r"--recipe demmo: unknown; allowed are demo, clips, faceforensics"):
        recipe_named("demmo")


def test_every_product_has_a_recipe_that_makes_it() -> None:
    assert list(RECIPES) == list(PRODUCTS)
    assert all(recipe_named(name).product is PRODUCTS[name] for name in RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_clips_are_prepared_as_the_product_will_sample_them(name: str) -> None:
    recipe = recipe_named(name)

    assert recipe.prepare.frame_rate == recipe.product.decision.frame_rate
    assert recipe.prepare.hop == recipe.product.decision.hop


@pytest.mark.parametrize("name", RECIPES)
def test_stored_crops_are_wide_enough_for_every_variant(name: str) -> None:
    recipe = recipe_named(name)

    # A variant's box is up to 1.1 times larger and moved by up to a twentieth of its side, either way.
    assert recipe.prepare.crop_margin >= 1.1 * recipe.product.preprocess.margin + 2 * 0.05


def test_faceforensics_is_the_reference_trunk_at_full_size() -> None:
    recipe = recipe_named("faceforensics")

    assert recipe.product.preprocess.size == 224
    assert recipe.product.student.trunk == recipe.teacher.model.trunk == "repvit_m0_9"
    assert recipe.teacher.weights == "hub"
    assert recipe.student.start_from_teacher


@pytest.mark.parametrize("name", RECIPES)
def test_the_same_recipe_is_written_down_the_same(name: str) -> None:
    first, second = (json.dumps(asdict(recipe_named(name)), default=str, sort_keys=True) for _ in range(2))

    assert first == second
    assert json.loads(first)["product"]["name"] == name
