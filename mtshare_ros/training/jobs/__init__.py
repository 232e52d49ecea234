"""One job for each way to train a stage."""
