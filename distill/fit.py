"""One stage of training through Lightning: the best weights are kept, a finished stage is never trained again."""

import copy
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from core.command_line import progress, say
from core.errors import InputError
from core.runs import read_tensors, write_tensors
from distill.stages import TrainingStage

Device = Literal["auto", "cpu", "cuda", "mps"]


def fit(
    name: str,
    stage: TrainingStage,
    batches: IterableDataset[Any],
    validation: list[Any],
    *,
    folder: Path,
    device: Device,
    seed: int,
) -> None:
    """Train `stage.trained()` in place and leave its best weights in `folder`/`name`.safetensors.

    Where that file stands already it is read instead: an interrupted run goes on with the next stage.
    """
    file = folder / f"{name}.safetensors"
    module = stage.trained()
    if file.is_file():
        _load(module, read_tensors(file), file)
        say(f"{name}: reusing {file}")
        return
    torch.manual_seed(seed)
    best = _KeepBest()
    with progress(name) as report, warnings.catch_warnings():
        _quiet()
        trainer = L.Trainer(
            max_steps=stage.stage.steps,
            accelerator=device,
            devices=1,
            precision="bf16-mixed" if has_bfloat16(device) else "32-true",
            gradient_clip_val=1.0,
            val_check_interval=min(stage.stage.validate_every, stage.stage.steps),
            check_val_every_n_epoch=None,
            num_sanity_val_steps=0,
            callbacks=[best, _Report(report, stage.stage.steps)],
            logger=TensorBoardLogger(folder.parent / "logs", name=name, version=""),
            log_every_n_steps=10,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=False,
        )
        trainer.fit(stage, DataLoader(batches, batch_size=None), DataLoader(_Listed(validation), batch_size=None))
    stage.cpu()
    assert best.state is not None, "the last step validates"
    module.load_state_dict(best.state)
    write_tensors(file, best.state)
    say(f"{name}: best validation AUC {best.score:.3f}, loss {best.loss:.3f}, at step {best.step}")


def has_bfloat16(device: Device) -> bool:
    """Whether bfloat16 arithmetic is native there; emulated, it is slower than float32."""
    if torch.cuda.is_available() and device in ("auto", "cuda"):
        return bool(torch.cuda.is_bf16_supported())
    capabilities = torch.cpu.get_capabilities()
    return device != "mps" and bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


class _Listed(Dataset[Any]):
    """Batches that are there already."""

    def __init__(self, batches: list[Any]) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, place: int) -> Any:
        return self._batches[place]


class _KeepBest(L.Callback):
    """A copy of the trained module's weights from the best validation: highest AUC, and the latest of equals.

    The latest, since a small validation side is soon told apart without error while training still gains.
    """

    def __init__(self) -> None:
        self.score = self.loss = -1.0
        self.step = 0
        self.state: dict[str, Tensor] | None = None

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, TrainingStage)
        metrics = trainer.callback_metrics
        score = float(metrics["val_auc"])
        if score >= self.score:
            self.score, self.loss, self.step = score, float(metrics["val_loss"]), trainer.global_step
            state = pl_module.trained().state_dict()
            self.state = {key: copy.deepcopy(value.detach().cpu()) for key, value in state.items()}


class _Report(L.Callback):
    """Progress in steps."""

    def __init__(self, report: Callable[[int, int], None], steps: int) -> None:
        self._report, self._steps = report, steps

    def on_train_batch_end(self, trainer: L.Trainer, *_: object) -> None:
        self._report(trainer.global_step, self._steps)


def _load(module: torch.nn.Module, tensors: dict[str, Tensor], file: Path) -> None:
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise InputError(f"{file}: weights of another architecture; give another --run") from error


def _quiet() -> None:
    """Silence what Lightning says about its surroundings, none of which is news to a reader of our logs."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*available but not used.*")
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")
