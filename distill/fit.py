"""One stage of training through Lightning: checkpoints on the way, the best weights or their mean at the end."""

import copy
import json
import logging
import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from core.command_line import Report, progress, say
from core.errors import InputError
from core.runs import read_tensors, write_json, write_tensors
from distill.batches import Ahead, Legs, Steps
from distill.checkpoints import SafetensorsCheckpointIO, newest_checkpoint, refuse_misfit
from distill.recipes import Stage
from distill.stages import TrainingStage

Device = Literal["auto", "cpu", "cuda", "mps"]


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What trains."""

    device: Device = "auto"
    devices: int = 1
    """Of that kind; more than one train side by side, each on batches of its own."""


THIS_MACHINE = Machine()


@dataclass(frozen=True, kw_only=True)
class StageRecord:
    """What a finished stage says of itself: `NAME.json` beside its weights."""

    name: str
    steps: int
    """That were trained, in this process and in those before it that were ended."""
    seconds: float
    training_share: float
    """Of the training loop's time, spent in forward, backward and the optimiser's step."""
    waiting_share: float
    """Spent waiting for batches."""
    epoch_steps: int
    epoch_seconds: float
    """At the stage's own pace, without validation."""
    best_score: float
    """AUC on validation, the last if a mean is kept; of the int8 stage the least cosine with the float embeddings."""
    best_step: int
    replaced: int
    """Clips below minimum coverage that others stood in for."""


def fit(
    name: str,
    stage: TrainingStage,
    steps: Steps[Any],
    validation: list[Any],
    *,
    folder: Path,
    machine: Machine,
    monitor: str = "val_auc",
) -> StageRecord:
    """Train `stage.trained()` in place and leave the weights to keep in `folder`/`name`.safetensors.

    Where that file stands already it is read instead; where the stage was interrupted it goes on from its last
    checkpoint, to the same weights as if it never had been. InputError names a file that does not fit.
    """
    file, document, module = folder / f"{name}.safetensors", folder / f"{name}.json", stage.trained()
    if document.is_file():
        tensors = read_tensors(file)
        refuse_misfit(module, tensors, file)
        module.load_state_dict(tensors)
        say(f"{name}: reusing {file}")
        return _read_record(document)
    checkpoints = folder / name
    resumed = newest_checkpoint(checkpoints)
    if resumed is not None:
        say(f"{name}: going on after step {resumed.name}")
    keeper, clock = _Keeper(monitor, stage.stage), _Clock()
    with progress(name) as report, _quiet():
        trainer = _trainer(name, stage, folder, machine, [keeper, clock, _Said(report, stage), _Save(checkpoints)])
        told, progress_made = stage.stage, trainer.fit_loop.epoch_loop.batch_progress.total
        last = told.batches
        batches = Ahead(steps, last=last, rank=trainer.global_rank, ranks=max(1, trainer.world_size))
        legs = Legs(told.leg_steps, lambda: progress_made.ready)
        loader = DataLoader(batches, batch_size=None, sampler=legs)
        try:
            trainer.fit(stage, loader, DataLoader(_Listed(validation), batch_size=None), ckpt_path=_text(resumed))
        finally:
            batches.close()
    stage.cpu()
    assert keeper.state is not None, "the last validation counts"
    module.load_state_dict(keeper.state)
    record = clock.record(name, steps, keeper, ranks=max(1, trainer.world_size))
    if trainer.is_global_zero:
        write_tensors(file, keeper.state)
        write_json(document, asdict(record))
        shutil.rmtree(checkpoints, ignore_errors=True)
    trainer.strategy.barrier(name)
    kept = f"mean of {keeper.averaged} weights, the last with" if keeper.averaged else "best"
    say(
        f"{name}: {kept} {monitor} {keeper.score:.3f} at step {keeper.step} of {record.steps}; "
        f"{record.training_share:.0%} of the loop's time trained, {record.waiting_share:.0%} waited for data"
    )
    return record


def has_bfloat16(device: Device) -> bool:
    """Whether bfloat16 arithmetic is native there; emulated, it is slower than float32."""
    if torch.cuda.is_available() and device in ("auto", "cuda"):
        return bool(torch.cuda.is_bf16_supported())
    capabilities = torch.cpu.get_capabilities()
    return device != "mps" and bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _trainer(name: str, stage: TrainingStage, folder: Path, machine: Machine, callbacks: list[L.Callback]) -> L.Trainer:
    told = stage.stage
    if told.patience is not None:
        callbacks = [*callbacks, EarlyStopping("val_auc", mode="max", patience=told.patience, verbose=False)]
    return L.Trainer(
        max_epochs=told.legs,
        accelerator=machine.device,
        devices=machine.devices,
        # A stage does not use every part of its model in every step.
        strategy="auto" if machine.devices == 1 else "ddp_find_unused_parameters_true",
        # Rank and step decide what a process trains on.
        use_distributed_sampler=False,
        precision="bf16-mixed" if has_bfloat16(machine.device) else "32-true",
        accumulate_grad_batches=told.accumulate,
        gradient_clip_val=1.0,
        num_sanity_val_steps=0,
        callbacks=callbacks,
        plugins=[SafetensorsCheckpointIO()],
        logger=TensorBoardLogger(folder.parent / "logs", name=name, version=""),
        log_every_n_steps=10,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )


class _Listed(Dataset[Any]):
    """Batches that are there already."""

    def __init__(self, batches: list[Any]) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, place: int) -> Any:
        return self._batches[place]


class _Keeper(L.Callback):
    """A copy of the trained module's weights from the best validation of those that count, or the mean of all those.

    Of equals the latest, since a small validation side is soon told apart without error while training still gains.
    Batch-norm's statistics are averaged as weights are.
    """

    def __init__(self, monitor: str, stage: Stage) -> None:
        self.monitor = monitor
        self._from, self._averages = stage.kept_from * stage.batches, stage.kept == "mean"
        self.score = -1.0
        self.step = 0
        self.averaged = 0
        self.state: dict[str, Tensor] | None = None

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, TrainingStage)
        step = trainer.fit_loop.epoch_loop.batch_progress.total.ready
        score = float(trainer.callback_metrics[self.monitor])
        # Not the other way round: a score that is not a number is never the best.
        if step < self._from or not (self._averages or score >= self.score):
            return
        self.score, self.step = score, step
        state = pl_module.trained().state_dict()
        weights = {key: copy.deepcopy(value.detach().cpu()) for key, value in state.items()}
        if self._averages:
            self.averaged += 1
            weights = _moved(self.state or weights, weights, 1 / self.averaged)
        self.state = weights

    def state_dict(self) -> dict[str, Any]:
        return {"score": self.score, "step": self.step, "averaged": self.averaged, "state": self.state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.score, self.step, self.averaged, self.state = (
            state_dict[name] for name in ("score", "step", "averaged", "state")
        )


def _moved(mean: dict[str, Tensor], weights: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """`mean`, `share` of the way to `weights`; counts, which have no mean, are those of `weights`."""
    return {
        key: torch.lerp(mean[key], value, share) if value.is_floating_point() else value
        for key, value in weights.items()
    }


class _Clock(L.Callback):
    """Where the loop's time goes: training, waiting for batches, and all the rest, over every process of the stage."""

    def __init__(self) -> None:
        self.training = self.waiting = self.seconds = 0.0
        self.steps = 0
        self._mark = time.perf_counter()
        self._began = self._mark
        self._idle = True

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._mark = time.perf_counter()

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        self.waiting += now - self._mark
        self._mark = now

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        self.training += now - self._mark
        self._mark = now
        self.steps += 1

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._mark = time.perf_counter()

    def state_dict(self) -> dict[str, Any]:
        return {
            "training": self.training,
            "waiting": self.waiting,
            "steps": self.steps,
            "seconds": self.seconds + time.perf_counter() - self._began,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.training, self.waiting, self.steps, self.seconds = (
            state_dict[name] for name in ("training", "waiting", "steps", "seconds")
        )
        self._began = time.perf_counter()

    def record(self, name: str, steps: Steps[Any], keeper: _Keeper, *, ranks: int) -> StageRecord:
        loop = max(1e-9, self.training + self.waiting)
        return StageRecord(
            name=name,
            steps=self.steps,
            seconds=self.seconds + time.perf_counter() - self._began,
            training_share=self.training / loop,
            waiting_share=self.waiting / loop,
            epoch_steps=steps.epoch_steps,
            epoch_seconds=loop / max(1, self.steps) * steps.epoch_steps,
            best_score=keeper.score,
            best_step=keeper.step,
            replaced=steps.replaced(self.steps * ranks),
        )


class _Said(L.Callback):
    """Progress in steps, with the loss and the last validation's score."""

    def __init__(self, report: Report, stage: TrainingStage) -> None:
        self._report, self._steps = report, stage.stage.batches

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        told = trainer.progress_bar_metrics
        note = " ".join(f"{name} {value:.3f}" for name, value in told.items() if isinstance(value, float))
        self._report(trainer.fit_loop.epoch_loop.batch_progress.total.ready, self._steps, note)


class _Save(L.Callback):
    """A checkpoint after every leg; the one before it goes when the new one is whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        before = newest_checkpoint(self._folder)
        trainer.save_checkpoint(self._folder / str(trainer.fit_loop.epoch_loop.batch_progress.total.ready))
        if before is not None and trainer.is_global_zero:
            trainer.strategy.checkpoint_io.remove_checkpoint(before)


def _read_record(file: Path) -> StageRecord:
    try:
        return StageRecord(**json.loads(file.read_bytes()))
    except (ValueError, TypeError) as error:
        raise InputError(f"{file}: damaged; remove it and its stage is trained again") from error


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what Lightning says about its surroundings, none of which is news to a reader of our logs."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*available but not used.*")
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")
        warnings.filterwarnings("ignore", message=".*log_every_n_steps.*")
        yield
