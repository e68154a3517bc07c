"""`python -m export`: from a run to a folder of checked artefacts."""

from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from core.command_line import page, progress, say
from core.errors import InputError
from core.manifest import Manifest
from export.card import parity_figures
from export.targets import AUTO, chosen_variants


@dataclass(frozen=True, kw_only=True)
class Export:
    """Quantise, convert, and prove parity before anything is written.

    Exporting into a folder of the same weights replaces only what is exported again; other weights replace it whole.
    """

    run: Path | None = None
    """Folder of a finished run; runs/demo if not given."""
    recipe: str | None = None
    """Instead of --run: runs/RECIPE or, with --untrained, the recipe whose student is built."""
    untrained: bool = False
    """Build the recipe's student with seeded random weights, to measure its speed before anyone has data."""
    target: str = "all"
    """executorch, coreml, onnx or all."""
    precision: str | None = None
    """fp32, fp16 or int8 (the usual ones if not given), or auto: of all, the fastest that keeps its accuracy."""
    out: Path | None = None
    """Folder of the artefacts; artifacts/NAME if not given."""
    bundle: bool = False
    """Then put the preferred artefact, its manifest and the golden vectors into the Android app's assets."""
    allow_untrained: bool = False
    """With --bundle: an untrained program too, to see its speed on a phone."""

    def execute(self) -> int:
        """See `export.build` and `export.folder`."""
        variants = chosen_variants(self.target, self.precision)
        self._refuse_contradictions()
        # Imported here: torch takes seconds, and wrong input should not wait for it.
        from export.build import Outcome, build_all
        from export.bundle import ASSETS, bundle, refuse_other_assets
        from export.choice import keep_the_fastest
        from export.folder import GOLDEN_FOLDER, former, publish, run_metrics, staging
        from export.golden import write_golden
        from export.source import Origin

        origin = Origin(untrained=self.recipe) if self.untrained else Origin(run=self._run_folder())
        source = origin.read()
        folder = self.out or Path("artifacts") / (self.recipe or source.name)
        kept = former(folder, source.weights_sha256)
        metrics = run_metrics(origin.run)
        if self.bundle:
            refuse_other_assets(ASSETS)
        with staging(folder) as scratch, progress(f"export {folder}") as report:

            def on_done(outcome: Outcome, done: int) -> None:
                verdict = "parity holds" if outcome.parity else "built, not executable here"
                say(f"{outcome.variant.path}: {outcome.problem or verdict}")
                report(done, len(variants))

            outcomes = build_all(origin, variants, scratch, on_done=on_done)
            if self.precision == AUTO:
                outcomes = keep_the_fastest(source, outcomes, scratch)
            if all(outcome.problem is not None for outcome in outcomes):
                say(f"error: nothing passed its parity check; {folder} is as it was")
                return 1
            write_golden(source, scratch / GOLDEN_FOLDER)
            manifest = publish(folder, scratch, source, outcomes, kept, metrics)
        page().print(_table(manifest))
        say(f"artefacts: {folder}")
        if self.bundle:
            bundled = bundle(folder, allow_untrained=self.allow_untrained)
            say(f"bundle: {bundled.preferred} in {ASSETS}")
        failed = any(outcome.problem is not None for outcome in outcomes)
        return 1 if failed and self.precision != AUTO else 0

    def _run_folder(self) -> Path:
        return self.run or Path("runs") / (self.recipe or "demo")

    def _refuse_contradictions(self) -> None:
        if self.untrained and (self.recipe is None or self.run is not None):
            raise InputError("--untrained builds a recipe's student without a run: give --recipe NAME and no --run")
        if self.run is not None and self.recipe is not None:
            raise InputError("--run and --recipe: two names of what to export; give one of them")
        if self.allow_untrained and not self.bundle:
            raise InputError("--allow-untrained: it is for --bundle; add that, or leave it out")
        if self.bundle and self.untrained and not self.allow_untrained:
            raise InputError(
                "--bundle: an untrained program's answers mean nothing; add --allow-untrained to bundle it"
            )
        if self.recipe is not None:
            from core.products import product_named

            product_named(self.recipe)


def _table(manifest: Manifest) -> Table:
    table = Table("artefact", "target", "precision", "MB", "checked by", "cases", "cosine", "max abs", "agreement")
    for row in manifest.artifacts:
        table.add_row(
            row.path,
            row.target,
            row.precision,
            f"{row.size_bytes / 1e6:.2f}",
            row.verified,
            *parity_figures(row.parity),
        )
    return table
