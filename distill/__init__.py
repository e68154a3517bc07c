"""Teacher first, then the student taught by it. `python -m distill` leaves a run folder that can be exported."""
