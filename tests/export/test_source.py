"""The untrained student: the same on every machine, and alive enough for its parity to mean something."""

import pytest
import torch

from core.errors import InputError
from core.models import Student
from core.products import product_named
from export.source import Origin, Source


def test_the_same_recipe_gives_the_same_untrained_weights(untrained: Source) -> None:
    torch.rand(7)

    again = Origin(untrained="demo").read()

    assert again.weights_sha256 == untrained.weights_sha256
    assert torch.equal(again.crops, untrained.crops)
    with torch.inference_mode():
        assert torch.equal(again.student.encode(again.crops[:1])[0], untrained.student.encode(again.crops[:1])[0])


def test_an_untrained_source_says_so_and_claims_no_validation(untrained: Source) -> None:
    assert (untrained.trained, untrained.depth_trained, untrained.run) == (False, False, None)
    assert untrained.name == "demo-untrained"
    assert len(untrained.windows) == len(untrained.face_valid) == len(untrained.is_fake) == 0
    assert untrained.preprocess == product_named("demo").preprocess


def test_embeddings_of_an_untrained_student_differ_from_picture_to_picture(untrained: Source) -> None:
    with torch.inference_mode():
        rgb, depth, maps = untrained.student.encode(untrained.crops)

    for outputs in (rgb, depth, maps):
        spread = outputs.flatten(1).std(dim=0)
        assert spread.median() > 0.01
        assert (spread < 1e-6).float().mean() < 0.05


def test_awakening_is_what_makes_residual_branches_count(untrained: Source) -> None:
    torch.manual_seed(0)
    asleep = Student(product_named("demo").student).eval()
    crops = untrained.crops[:8]

    # timm starts the last norm of every residual branch at zero: the branch then adds nothing at all.
    with torch.inference_mode():
        sleeping, awake = asleep.encode(crops)[0], untrained.student.encode(crops)[0]

    assert float(awake.std(dim=0).mean()) > 3 * float(sleeping.std(dim=0).mean())


def test_calibration_pictures_are_whole_pixel_values_of_all_brightnesses(untrained: Source) -> None:
    crops = untrained.crops

    assert torch.equal(crops, crops.round())
    assert (float(crops.min()), float(crops.max())) == (0.0, 255.0)
    assert not torch.equal(crops[:, 0], crops[:, 1]), "channels differ, or swapped colours would go unseen"


def test_an_unknown_recipe_lists_the_allowed_ones() -> None:
    with pytest.raises(InputError, match="--recipe dmeo: unknown; allowed are demo, clips, faceforensics"):
        Origin(untrained="dmeo").read()
