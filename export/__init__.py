"""From a run to artefacts that were checked before they were written."""
