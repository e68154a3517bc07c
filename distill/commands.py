"""`python -m distill`: from a store or a corpus to a run that can be exported."""

from dataclasses import dataclass
from pathlib import Path

from core.command_line import progress, say
from core.corpus import read_corpus
from core.errors import InputError
from core.prepare import prepare
from core.store import ClipStore
from distill.recipes import Recipe, recipe_named

DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True, kw_only=True)
class Distill:
    """Train the teacher, then the student that it teaches.

    Without --corpus or --store the recipe's own data are used; the demo recipe makes its corpus if it is not there.
    A run that was interrupted goes on after its last finished stage; a finished one is left as it is; a folder of
    another recipe or other data is refused.
    """

    recipe: str = "demo"
    """demo, clips or faceforensics."""
    corpus: Path | None = None
    """Folder of videos; prepared into --store first."""
    store: Path | None = None
    """Prepared store; stores/NAME if not given."""
    run: Path | None = None
    """Folder of the run; runs/NAME if not given."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""

    def execute(self) -> int:
        """See `distill.train`."""
        recipe = recipe_named(self.recipe)
        if self.device not in DEVICES:
            raise InputError(f"--device {self.device}: allowed are {', '.join(DEVICES)}")
        store_folder = self._prepared(recipe)
        # Imported here: torch and Lightning take seconds, and wrong input should not wait for them.
        from distill.train import train

        run = self.run or Path("runs") / self.recipe
        with ClipStore.read(store_folder) as store:
            train(recipe, store, run, device=self.device)  # type: ignore[arg-type]
        say((run / "metrics.json").read_text())
        say(f"run: {run}")
        return 0

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
