"""The report of an evaluation: numbers, page and plots."""
