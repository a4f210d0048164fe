"""One contract for evaluating specs, with two makers: live (train) and tabular (look up)."""
