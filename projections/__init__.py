"""What the events add up to: pure folds, one idea a file."""
