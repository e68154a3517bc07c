"""Recipes: what they promise and how they are written down."""

import json

import pytest

from core.errors import InputError
from core.forgery import DEMO, FOOTAGE, ForgerySettings
from core.products import PRODUCTS
from core.transforms import FULL, LIGHT, Augmentation
from distill.recipes import RECIPES, recipe_named
from distill.train import recipe_document


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

    assert recipe.prepare.crop_margin >= recipe.augmentation.room(recipe.product.preprocess.margin)


def test_the_demo_keeps_the_draws_that_its_schedule_is_tuned_to() -> None:
    demo = recipe_named("demo")

    assert (demo.augmentation, demo.twin_forgery, demo.variants) == (LIGHT, DEMO, 6)


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "demo"])
def test_footage_is_trained_on_with_everything_that_can_be_drawn(name: str) -> None:
    recipe = recipe_named(name)

    assert (recipe.augmentation, recipe.twin_forgery, recipe.variants) == (FULL, FOOTAGE, 8)


def test_faceforensics_is_the_reference_trunk_at_full_size() -> None:
    recipe = recipe_named("faceforensics")

    assert recipe.product.preprocess.size == 224
    assert recipe.product.student.trunk == recipe.teacher.model.trunk == "repvit_m0_9"
    assert recipe.teacher.weights == "hub"
    assert recipe.student.start_from_teacher


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_written_down_whole(name: str) -> None:
    recipe = recipe_named(name)

    document = json.loads(json.dumps(recipe_document(recipe), sort_keys=True))

    assert document == recipe_document(recipe_named(name))
    assert document["product"]["name"] == name
    assert Augmentation.model_validate_json(json.dumps(document["augmentation"])) == recipe.augmentation
    assert ForgerySettings.model_validate_json(json.dumps(document["twin_forgery"])) == recipe.twin_forgery
