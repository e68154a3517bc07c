"""Two views of a frame, against torch's own enlarging, mirroring and colours, and what a model makes of both."""

import pytest
import torch
import torch.nn.functional as F
from torchvision.transforms.v2 import functional as V

from core.models import PALER, STANDARD, Encode, Looks, Standard, Student, StudentConfig, Teacher, TeacherConfig
from core.models.backbone import Trunk, global_mean
from core.models.light import crisp, standardised
from core.models.views import FULL_COLOUR, FirstView, MeanOfViews, Saturations, ViewCount, Views, both_views
from tests.core.models.conftest import pictures, randomise_statistics, relative_error

TWICE = Looks(views=2, saturations=PALER)


@pytest.fixture(scope="module")
def student() -> Student:
    torch.manual_seed(0)
    made = Student(StudentConfig(trunk="repvit_m0_6", views=2, saturations=PALER)).eval()
    randomise_statistics(made)
    return made


@pytest.mark.parametrize(("size", "border"), [(160, 16), (96, 9), (64, 6), (32, 3)])
@pytest.mark.parametrize("saturations", [FULL_COLOUR, PALER, (0.0, 0.7)])
def test_the_second_view_is_the_middle_enlarged_and_mirrored_and_each_is_as_pale_as_it_should(
    size: int, border: int, saturations: Saturations
) -> None:
    frames = pictures(2, size)
    middle = frames[..., border : size - border, border : size - border]
    mirrored = F.interpolate(middle, size=(size, size), mode="bilinear", align_corners=False).flip(-1)

    both = Views(Looks(views=2, saturations=saturations))(frames)

    for found, whole, left in zip(both.split(2), (frames, mirrored), saturations, strict=True):
        torch.testing.assert_close(found, 255 * V.adjust_saturation(whole / 255, left), atol=0.05, rtol=0)


def test_a_frame_in_full_colour_is_its_own_first_view() -> None:
    frames = pictures(1, 32)
    assert torch.equal(Views(Looks(views=2))(frames)[:1], frames)


def test_pure_red_turns_to_its_grey() -> None:
    red = torch.zeros(1, 3, 32, 32)
    red[:, 0] = 255
    first, second = Views(TWICE)(red)[..., 16, 16]
    assert first.tolist() == pytest.approx([165.6, 38.1, 38.1], abs=0.05)
    assert second.tolist() == pytest.approx([94.1, 68.6, 68.6], abs=0.05)


def test_one_view_is_the_frame() -> None:
    frames, views = pictures(2, 32), Views(Looks(saturations=PALER))

    assert views(frames) is frames
    assert FirstView(1)(frames) is frames
    assert MeanOfViews(1)(frames) is frames


def test_views_are_no_coarser_in_a_trainer_s_bfloat16() -> None:
    frames = pictures(1, 96)

    with torch.autocast("cpu", torch.bfloat16):
        both = Views(TWICE)(frames)

    assert torch.equal(both, Views(TWICE)(frames))


def test_a_view_that_was_first_looked_at_in_inference_can_be_learned_from() -> None:
    frames = pictures(1, 224).requires_grad_()
    with torch.inference_mode():
        Views(TWICE)(frames)

    with torch.enable_grad():
        Views(TWICE)(frames).sum().backward()

    assert frames.grad is not None
    assert float(frames.grad[..., 100:120, 100:120].mean()) > 2.0


def test_a_graph_knows_of_no_device_and_its_constants_are_its_own() -> None:
    frame = pictures(1, 64)
    looks = TWICE.model_copy(update={"standard": STANDARD})
    graphs = [torch.export.export(Views(looks), (frame,)) for _ in range(2)]

    assert not [node for node in graphs[0].graph.nodes if "device" in node.kwargs or "to.dtype" in str(node.target)]
    for constant in graphs[0].constants.values():
        constant.zero_()
    for found in (graphs[1].module()(frame), Views(looks)(frame)):
        torch.testing.assert_close(found, both_views(crisp(standardised(frame)), PALER))
        assert all(float(view.mean()) > 50 for view in found)


@pytest.mark.parametrize("count", [1, 2])
def test_views_are_of_the_frame_in_standard_light(count: ViewCount) -> None:
    frames = pictures(2, 96)
    light = standardised(frames)
    sharp = crisp(light)
    seen = sharp if count == 1 else both_views(sharp, PALER)
    views = Views(Looks(views=count, saturations=PALER, standard=STANDARD))

    for in_training in (True, False):
        with torch.autocast("cpu", torch.bfloat16, enabled=in_training):
            assert torch.equal(views(frames), seen)
            assert torch.equal(views.whole(frames), sharp)


def test_looks_that_show_other_pictures_have_other_names() -> None:
    looks = [Looks(), Looks(views=2), TWICE, TWICE.model_copy(update={"standard": STANDARD})]
    looks.append(TWICE.model_copy(update={"standard": Standard(detail=0.2)}))
    assert len({each.looks_key for each in looks}) == 5


def test_embeddings_are_means_over_views_and_depth_is_of_the_whole_frame(student: Student) -> None:
    frames = pictures(2, 64)

    rgb, depth_embedding, depth = student.encode(frames)

    seen = [student.trunk(view) for view in both_views(frames, PALER).chunk(2)]
    heads = [student.depth_head(features) for features in seen]
    assert relative_error(rgb, torch.stack([global_mean(features[-1]) for features in seen]).mean(0)) < 1e-5
    assert relative_error(depth_embedding, torch.stack([embedding for _, embedding in heads]).mean(0)) < 1e-5
    assert relative_error(depth, heads[0][0]) < 1e-5


def test_frames_of_a_batch_do_not_know_of_each_other(student: Student) -> None:
    frames = pictures(3, 64)
    together = student.encode(frames)

    for row in range(3):
        for alone, part in zip(student.encode(frames[row : row + 1]), together, strict=True):
            assert relative_error(alone[0], part[row]) < 1e-4


def test_a_graph_holds_the_trunk_once(student: Student) -> None:
    frame = pictures(1, 64)

    graph = torch.export.export(Encode(student).eval(), (frame,))

    convolutions = [node for node in graph.graph.nodes if "conv2d" in str(node.target)]
    once = torch.export.export(Trunk("repvit_m0_6").eval(), (frame,))
    trunk = [node for node in once.graph.nodes if "conv2d" in str(node.target)]
    head = [module for module in student.depth_head.modules() if isinstance(module, torch.nn.Conv2d)]
    assert len(convolutions) == len(trunk) + len(head)
    for found, wanted in zip(graph.module()(frame), student.encode(frame), strict=True):
        assert relative_error(found, wanted) < 1e-4


def test_a_teacher_looks_twice_at_colours_and_once_at_depth() -> None:
    torch.manual_seed(0)
    teacher = Teacher(TeacherConfig(trunk="repvit_m0_6", views=2, saturations=PALER)).eval()
    frames = pictures(2, 64)

    rgb, depth = teacher.encode_rgb(frames), teacher.encode_depth(frames[:, :1])

    views = [global_mean(teacher.rgb_trunk(view)[-1]) for view in both_views(frames, PALER).chunk(2)]
    assert relative_error(rgb, torch.stack(views).mean(0)) < 1e-5
    assert relative_error(depth, global_mean(teacher.depth_trunk(frames[:, :1].expand(-1, 3, -1, -1))[-1])) < 1e-5
