"""Recipes: what they promise and how they are written down."""

import json
from dataclasses import replace
from typing import Any

import pytest

from core.errors import InputError
from core.forgery import DEMO, FOOTAGE, ForgerySettings
from core.products import PRODUCTS
from core.transforms import FEW_PEOPLE, FULL, LIGHT, Augmentation
from distill.recipes import RECIPES, Stage, of_size, recipe_named
from distill.train import recipe_document

STAGE = Stage(steps=1, windows=2, learning_rate=1e-3)


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

    assert (demo.augmentation, demo.twins.forgeries) == (LIGHT, (DEMO,))


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "demo"])
def test_footage_is_trained_on_with_everything_that_can_be_drawn(name: str) -> None:
    recipe = recipe_named(name)

    assert recipe.augmentation == {"clips": FEW_PEOPLE, "faceforensics": FULL}[name]
    assert FOOTAGE in recipe.twins.forgeries


def test_faceforensics_is_the_reference_trunk_at_full_size() -> None:
    recipe = recipe_named("faceforensics")

    assert recipe.product.preprocess.size == 224
    assert recipe.product.student.trunk == recipe.teacher.model.trunk == "repvit_m0_9"
    assert recipe.teacher.weights == "hub"
    assert recipe.student.start_from_teacher


def test_a_student_of_clips_keeps_its_teachers_trunk_and_other_sizes_have_a_schedule_of_their_own() -> None:
    told = recipe_named("clips").student

    assert told.keep_teachers_trunk
    assert told.scratch is not None
    assert told.scratch.learning_rate > 10 * told.frames.learning_rate


@pytest.mark.parametrize(
    ("role", "changed", "named"),
    [
        ("student", {"start_from_teacher": False}, "start_from_teacher=False"),
        ("student", {"together": STAGE}, "a student's together"),
        ("teacher", {"together": STAGE}, "a teacher's together"),
        ("teacher", {"trunk": "frozen"}, "a frozen teacher's trunk"),
    ],
)
def test_a_trunk_that_something_else_would_train_is_not_kept(role: str, changed: dict[str, Any], named: str) -> None:
    clips = recipe_named("clips")

    with pytest.raises(ValueError, match=f"keep_teachers_trunk with {named}: leave one of them out"):
        replace(clips, **{role: replace(getattr(clips, role), **changed)})


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_written_down_whole(name: str) -> None:
    recipe = recipe_named(name)

    document = json.loads(json.dumps(recipe_document(recipe), sort_keys=True))

    assert document == recipe_document(recipe_named(name))
    assert document["product"]["name"] == name
    assert Augmentation.model_validate_json(json.dumps(document["augmentation"])) == recipe.augmentation
    found = [ForgerySettings.model_validate_json(json.dumps(drawn)) for drawn in document["twins"]["forgeries"]]
    assert tuple(found) == recipe.twins.forgeries


def test_a_stage_is_validated_and_kept_in_legs_of_one_length() -> None:
    stage = Stage(steps=250, windows=8, learning_rate=1e-3, validate_every=100, accumulate=4)

    # Two legs of 125 batches, each of 32 steps of the optimiser, whose last is of one batch.
    assert (stage.legs, stage.leg_steps, stage.updates) == (2, 125, 64)


def test_the_reference_teacher_has_the_reference_settings() -> None:
    fusion = recipe_named("faceforensics").teacher.model.fusion

    assert (fusion.width, fusion.heads, fusion.layers, fusion.feed_forward) == (384, 2, 1, 1024)
    assert (fusion.dropout, fusion.norm) == (0.1, "layer")


@pytest.mark.parametrize("name", ["clips", "faceforensics"])
def test_recipes_for_footage_end_with_training_for_int8(name: str) -> None:
    assert recipe_named(name).student.quantised is not None


def test_a_trunk_from_scratch_begins_with_pictures_below_the_products_size() -> None:
    sampling = recipe_named("clips").sampling

    assert sampling.primer is not None
    assert sampling.small is not None
    assert sampling.primer.share < sampling.small.share < 1


@pytest.mark.parametrize("name", RECIPES)
def test_a_student_of_another_size_looks_as_its_teacher_does(name: str) -> None:
    recipe = of_size(recipe_named(name), "m0_6")

    assert recipe.product.student.trunk == "repvit_m0_6"
    assert recipe.product.student.looks_key == recipe.teacher.model.looks_key == PRODUCTS[name].student.looks_key


def test_an_unknown_size_lists_the_allowed_ones() -> None:
    with pytest.raises(InputError, match=r"--student m2: unknown; allowed are m0_6, m0_9, m1_1"):
        of_size(recipe_named("demo"), "m2")


def test_variants_to_calibrate_on_need_forgeries() -> None:
    with pytest.raises(ValueError, match="calibration_variants 8: without forgeries in prepare, 0"):
        replace(recipe_named("demo"), calibration_variants=8)


def test_a_beginning_that_is_none_is_refused() -> None:
    clips = recipe_named("clips")
    assert clips.sampling.small is not None

    with pytest.raises(ValueError, match="small pictures of 160 px: allowed is below the product's 160"):
        replace(clips, sampling=replace(clips.sampling, small=replace(clips.sampling.small, size=160)))
    with pytest.raises(ValueError, match=r"a primer of 0.115 of the stage: allowed is to 0.1"):
        replace(clips, sampling=replace(clips.sampling, small=replace(clips.sampling.small, share=0.1)))


def test_weights_that_are_kept_never_or_perhaps_never_are_refused() -> None:
    with pytest.raises(ValueError, match=r"patience 3 and kept_from 0.5: leave one of them out"):
        Stage(steps=100, windows=4, learning_rate=1e-3, patience=3, kept_from=0.5)
    with pytest.raises(ValueError, match=r"kept_from 1.5: allowed is from 0 to 1"):
        Stage(steps=100, windows=4, learning_rate=1e-3, kept_from=1.5)
