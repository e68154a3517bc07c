"""The stages of a run in their order: teacher, its answers, student. Each is skipped where its weights stand."""

import copy
import fcntl
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from core.clips import ClipWindow
from core.corpus import Split
from core.embeddings import EmbeddingCache
from core.models import Student, StudentConfig, Teacher
from core.preprocess import PreprocessSpec
from core.pretrained import load_trunks
from distill.batches import Beginning, FrameSteps, WindowSteps, validation_frames, validation_windows
from distill.beginnings import begin_as_mean
from distill.data import ClipData, TwinSettings
from distill.fit import Machine, StageRecord, fit
from distill.recipes import Primer, Recipe, Stage, StudentRecipe
from distill.rendering import Renderer
from distill.stages import FrameHeads, Fusion, StudentFrames, TeacherFrames, Together
from distill.streams import Streams, embed
from distill.targets import TargetStore, frame_teaching, window_teaching

VALIDATION_SLOTS = 4
Side = Split | Literal["calibration"]


@dataclass(frozen=True, kw_only=True)
class Sides:
    """The windows of the split, in the forms that the stages take them."""

    train_frames: ClipData
    """A few slots of each clip, in many variants."""
    beginning: Beginning
    """The same windows, for a trunk that begins."""
    train: ClipData
    """Whole windows, in a few."""
    train_plain: ClipData
    """As they are stored, without forged copies."""
    val_frames: ClipData
    val: ClipData
    test: ClipData
    calibration: ClipData
    """What the decision is fitted on: `val`, or a window of each of its real videos and its twin in variants."""

    def whole(self, side: Side) -> ClipData:
        """Whole windows: of train and calibration in variants, of val and test as they are."""
        return {"train": self.train, "val": self.val, "test": self.test, "calibration": self.calibration}[side]


def sides_of(recipe: Recipe, renderer: Renderer, windows: dict[Split, list[ClipWindow]]) -> Sides:
    """`windows` as `recipe` shows them."""
    told = recipe.sampling
    full = recipe.product.preprocess
    small = full if told.small is None else PreprocessSpec(**{**full.model_dump(), "size": told.small.size})

    def side(
        shown: Sequence[ClipWindow],
        *,
        variants: int = 0,
        slots: int | None = None,
        drawn: Recipe | Primer = recipe,
        twins: TwinSettings | None = None,
        spec: PreprocessSpec = full,
    ) -> ClipData:
        return ClipData(
            renderer,
            shown,
            spec,
            min_coverage=recipe.product.decision.min_coverage,
            variants=variants,
            augmentation=drawn.augmentation,
            twins=drawn.twins if twins is None else twins,
            seed=recipe.seed,
            slots=slots,
        )

    def frames(drawn: Recipe | Primer = recipe, spec: PreprocessSpec = full) -> ClipData:
        return side(windows["train"], variants=told.variants, slots=told.slots, drawn=drawn, spec=spec)

    val = calibration = side(windows["val"])
    if recipe.calibration_variants:
        forged = recipe.prepare.forgeries
        as_stored = TwinSettings(forgeries=(recipe.prepare.forgery,), swap_share=forged.count("swap") / len(forged))
        shown = _one_of_each_real(windows["val"])
        calibration = side(shown, variants=recipe.calibration_variants, twins=as_stored)
    return Sides(
        train_frames=frames(),
        beginning=Beginning(
            primer=None if told.primer is None else frames(told.primer, small),
            primer_share=0.0 if told.primer is None else told.primer.share,
            small=None if told.small is None else frames(spec=small),
            small_share=0.0 if told.small is None else told.small.share,
        ),
        train=side(windows["train"], variants=recipe.variants),
        train_plain=side(windows["train"]),
        val_frames=side(windows["val"], slots=VALIDATION_SLOTS),
        val=val,
        test=side(windows["test"]),
        calibration=calibration,
    )


def _one_of_each_real(windows: Sequence[ClipWindow]) -> list[ClipWindow]:
    """Of each real video the window that shows most of a face."""
    of_video: dict[str, list[ClipWindow]] = defaultdict(list)
    for window in windows:
        if not window.is_fake:
            of_video[window.record.key].append(window)
    return [max(rows, key=lambda window: len(window.valid_slots)) for rows in of_video.values()]


@dataclass(frozen=True, kw_only=True)
class Teaching:
    """A trained teacher, and its answers on the training side's whole windows."""

    teacher: Teacher
    heads: FrameHeads | None
    """Those its RGB trunk was trained with on single frames; None where it was frozen."""
    windows: Tensor
    """float32 [K, N, 2]: its logits of whole windows."""


class Training:
    """One run's stages, in `folder`/stages."""

    def __init__(
        self,
        recipe: Recipe,
        sides: Sides,
        folder: Path,
        cache: EmbeddingCache,
        targets: TargetStore,
        machine: Machine,
        *,
        depth_trained: bool,
    ) -> None:
        self._recipe, self._sides, self._cache, self.targets = recipe, sides, cache, targets
        self._machine, self._depth_trained = machine, depth_trained
        self.stages = folder / "stages"
        self.stages.mkdir(parents=True, exist_ok=True)
        self.records: list[StageRecord] = []
        self.embedded: list[dict[str, float | int | str]] = []
        """What encoding whole windows took, where they were not in the cache."""

    def teacher(self) -> Teaching:
        """The trained teacher, and what it says of the training side."""
        told, recipe = self._recipe.teacher, self._recipe
        torch.manual_seed(recipe.seed)
        teacher = Teacher(told.model)
        load_trunks(teacher, told.weights)
        losses = told.losses
        heads: FrameHeads | None = None
        if told.trunk == "frozen":
            # In eval() mode for good: a batch-norm that goes on counting is not frozen.
            for trunk in (teacher.rgb_trunk, teacher.depth_trunk):
                trunk.eval().requires_grad_(False)
        else:
            stage = TeacherFrames(teacher, told.frames, losses=losses, seed=recipe.seed)
            steps = self._frames(told.frames, begins=told.weights == "scratch")
            self._fit("teacher_frames", stage, steps, self._val_frames())
            heads = stage.heads
            begin_as_mean(teacher.fusion, heads.label)
        train, val = self.streams("teacher", teacher, "train"), self.streams("teacher", teacher, "val")
        fusion = Fusion(teacher.fusion, told.fusion, losses=losses, seed=recipe.seed)
        self._fit(
            "teacher_fusion",
            fusion,
            WindowSteps(self._sides.train, train, count=told.fusion.windows, seed=recipe.seed),
            validation_windows(val),
        )
        if told.together is not None and told.trunk == "trained":
            together = Together(
                teacher, told.together, losses=losses, depth_trained=self._depth_trained, seed=recipe.seed
            )
            self._fit("teacher_together", together, self._whole(told.together, None), self._val_whole())
            train = self.streams("teacher", teacher, "train")
        teacher.eval()
        with self._alone():
            return Teaching(teacher=teacher, heads=heads, windows=window_teaching(teacher, train, self.targets))

    def student(
        self, teaching: Teaching, told: StudentRecipe, config: StudentConfig, *, prefix: str = "student", seed: int
    ) -> Student:
        """The student that `told` makes, in float."""
        torch.manual_seed(seed + 1)
        student = Student(config)
        load_trunks(student, told.weights)
        teacher = teaching.teacher
        follows = told.start_from_teacher and config.trunk == teacher.config.trunk
        if follows:
            student.trunk.load_state_dict(teacher.rgb_trunk.state_dict())
        taught = teaching if told.taught else None
        heads = teaching.heads if follows else None
        if heads is None or self._depth_trained or not told.keep_teachers_trunk:
            heads = self._student_frames(student, told, teaching, follows=follows, prefix=prefix, seed=seed)
        begin_as_mean(student.fusion, heads.label)
        self._student_fusion(student, told, taught, prefix, seed)
        if told.together is not None:
            together = Together(
                student,
                told.together,
                losses=told.losses,
                temperature=told.temperature,
                depth_trained=self._depth_trained,
                seed=seed,
            )
            self._fit(f"{prefix}_together", together, self._whole(told.together, taught), self._val_whole())
        return student.eval()

    def _student_frames(
        self,
        student: Student,
        told: StudentRecipe,
        teaching: Teaching,
        *,
        follows: bool,
        prefix: str,
        seed: int,
    ) -> FrameHeads:
        """Train the trunk and the depth head on single frames; returns the heads that were trained with them.

        They begin as the teacher's where the trunk `follows` its, if it has any.
        """
        begins = told.weights == "scratch" and not follows
        stage = told.scratch if begins and told.scratch is not None else told.frames
        frames = StudentFrames(
            student,
            stage,
            losses=told.losses,
            temperature=told.temperature,
            teacher_dim=teaching.teacher.embed_dim,
            depth_trained=self._depth_trained,
            seed=seed,
        )
        if follows and teaching.heads is not None:
            frames.heads.load_state_dict(teaching.heads.state_dict())
        steps = self._frames(stage, seed=seed, begins=begins)
        if told.taught and not (self.stages / f"{prefix}_frames.json").is_file():
            shown = steps.clips(self._batches(stage))
            with self._alone():
                answers = frame_teaching(teaching.teacher, self._sides.train_frames, self.targets, shown)
                steps = steps.taught(answers)
        self._fit(f"{prefix}_frames", frames, steps, self._val_frames())
        return frames.heads

    def quantised(self, student: Student, stage: Stage) -> tuple[Student, dict[str, tuple[float, float]]]:
        """A fused copy of `student`, trained for int8, and the ranges of its activations."""
        # Imported here: int8 needs an extra that training without it does not.
        from distill.quantised import train_quantised

        fused = copy.deepcopy(student).eval()
        fused.fuse()
        record, ranges = train_quantised(
            fused,
            stage,
            self._frames(stage),
            self._val_frames(),
            folder=self.stages,
            machine=self._machine,
            seed=self._recipe.seed,
        )
        self.records.append(record)
        return fused, ranges

    def _student_fusion(
        self, student: Student, told: StudentRecipe, taught: Teaching | None, prefix: str, seed: int
    ) -> None:
        train, val = self.streams(prefix, student, "train"), self.streams(prefix, student, "val")
        fusion = Fusion(student.fusion, told.fusion, losses=told.losses, temperature=told.temperature, seed=seed)
        steps = WindowSteps(
            self._sides.train,
            train,
            count=told.fusion.windows,
            seed=seed,
            teacher_logits=None if taught is None else taught.windows,
        )
        self._fit(f"{prefix}_fusion", fusion, steps, validation_windows(val))

    def streams(self, title: str, model: Teacher | Student, side: Side) -> Streams:
        """Both streams of a side's whole windows."""
        data = self._sides.whole(side)
        with self._alone():
            streams = embed(f"{title} on {side}", model, data, self._cache, depth_trained=self._depth_trained)
        if streams.encoded:
            self.embedded.append({"model": title, "side": side, "clips": streams.encoded, "seconds": streams.seconds})
        return streams

    def _frames(self, stage: Stage, *, seed: int | None = None, begins: bool = False) -> FrameSteps:
        told = self._recipe.sampling
        return FrameSteps(
            self._sides.train_frames,
            count=stage.windows,
            seed=self._recipe.seed if seed is None else seed,
            twin_share=told.twin_share,
            beginning=self._sides.beginning if begins else None,
            steps=self._batches(stage),
        )

    def _batches(self, stage: Stage) -> int:
        """Of all devices, which train side by side on every other one."""
        return stage.batches * self._machine.devices

    def _whole(self, stage: Stage, taught: Teaching | None) -> FrameSteps:
        data = self._sides.train
        row_of = {window: row for row, window in enumerate(data.judged)}

        def logits(windows: Sequence[int], variants: Sequence[int]) -> Tensor:
            assert taught is not None
            return taught.windows[list(variants), [row_of[window] for window in windows]]

        return FrameSteps(
            data,
            count=stage.windows,
            seed=self._recipe.seed,
            twin_share=self._recipe.sampling.twin_share,
            window_logits=None if taught is None else logits,
        )

    def _val_frames(self) -> list[Any]:
        return validation_frames(self._sides.val_frames)

    def _val_whole(self) -> list[Any]:
        return validation_frames(self._sides.val, size=4)

    def _fit(self, name: str, stage: Any, steps: Any, validation: list[Any]) -> None:
        self.records.append(fit(name, stage, steps, validation, folder=self.stages, machine=self._machine))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time: where several train side by side, the first computes and the others read."""
        with (self.stages / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def documents(self) -> list[dict[str, Any]]:
        """What the stages say of themselves."""
        return [asdict(record) for record in self.records]
