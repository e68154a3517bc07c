"""How good a model is on a corpus: `python -m core evaluate`, and intervals of an AUC for whoever compares models."""

from core.evaluation.intervals import Gap, auc_interval, paired_auc_gap

__all__ = ["Gap", "auc_interval", "paired_auc_gap"]
