"""int8 for XNNPACK through PT2E, after training by calibration or in training itself: export and training share it.

Static; symmetric and per channel for weights, affine and per tensor for activations: what XNNPACK has kernels for.
Both ways place their roundings with the same quantiser on the same graph, so that what is trained is what runs.
"""

from core.quantisation.program import quantised
from core.quantisation.training import QuantisedTraining

__all__ = ["QuantisedTraining", "quantised"]
