"""`python -m distill`: from a store or a corpus to a run that can be exported."""

from dataclasses import dataclass, replace
from pathlib import Path

from core.command_line import progress, say
from core.corpus import read_corpus
from core.errors import InputError
from core.prepare import prepare
from core.store import ClipStore
from distill.recipes import Recipe, of_size, recipe_named

DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True, kw_only=True)
class Distill:
    """Train the teacher, then the student that it teaches.

    Without --corpus or --store the recipe's own data are used; the demo recipe makes its corpus if it is not there.
    A run that was interrupted, even by a kill, goes on from its last checkpoint to the same result; a finished one is
    left as it is; a folder of another recipe or other data is refused.
    """

    recipe: str = "demo"
    """demo, clips or faceforensics."""
    corpus: Path | None = None
    """Folder of videos; prepared into --store first."""
    store: Path | None = None
    """Prepared store; stores/NAME if not given."""
    run: Path | None = None
    """Folder of the run; runs/NAME if not given."""
    student: str | None = None
    """Size of the student: m0_6, m0_9 or m1_1; the recipe's own if not given."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""
    devices: int = 1
    """How many of them train side by side."""
    seed: int | None = None
    """Of the split, where the corpus has none, and of all that training draws; the recipe's own if not given."""
    epochs: int | None = None
    """Passes over the clips in every stage, instead of the recipe's steps."""
    ablate: bool = False
    """Then train students with each term left out and without a teacher, three seeds each, and write the table."""

    def execute(self) -> int:
        """See `distill.train` and `distill.ablation`."""
        recipe = self._recipe()
        store_folder = self._prepared(recipe)
        # Imported here: torch and Lightning take seconds, and wrong input should not wait for them.
        from distill.ablation import ablate
        from distill.fit import Machine
        from distill.train import train

        run = self.run or Path("runs") / self.recipe
        machine = Machine(device=self.device, devices=self.devices)  # type: ignore[arg-type]
        with ClipStore.read(store_folder) as store:
            train(recipe, store, run, machine=machine, epochs=self.epochs)
            if self.ablate:
                ablate(recipe, store, run, machine=machine, epochs=self.epochs)
        say((run / "metrics.json").read_text())
        say(f"run: {run}")
        return 0

    def _recipe(self) -> Recipe:
        recipe = recipe_named(self.recipe)
        if self.device not in DEVICES:
            raise InputError(f"--device {self.device}: allowed are {', '.join(DEVICES)}")
        for name, value in (("--devices", self.devices), ("--epochs", self.epochs)):
            if value is not None and value < 1:
                raise InputError(f"{name} {value}: give 1 or more")
        if self.seed is not None:
            prepared = recipe.prepare.model_copy(update={"seed": self.seed})
            recipe = replace(recipe, seed=self.seed, prepare=prepared)
        if self.student is None:
            return recipe
        return of_size(recipe, self.student)

    def _prepared(self, recipe: Recipe) -> Path:
        name = recipe.product.name
        if self.store is not None and self.corpus is None:
            return self.store
        corpus = self.corpus or recipe.corpus
        if corpus is None:
            raise InputError(f"--recipe {name}: no data named; give --corpus DIR or --store DIR")
        store = self.store or Path("stores") / (name if self.corpus is None else f"{name}-{corpus.name}")
        if self.corpus is None and name == "demo" and not corpus.exists():
            from core.demo import DemoSettings, make_demo_corpus

            with progress(f"demo corpus {corpus}") as report:
                make_demo_corpus(corpus, settings=DemoSettings(), on_progress=report)
        found = read_corpus(
            corpus,
            real_only=bool(recipe.prepare.forgeries),
            seed=recipe.seed,
            methods=recipe.methods,
            compressions=recipe.compressions,
        )
        with progress(f"prepare {corpus}") as report:
            summary = prepare(found, store, recipe.prepare, on_progress=report)
        say(summary.text(store))
        return store
