"""Latency and memory of artefacts, measured side by side with an anchor that every machine can repeat."""
