"""Labels from networks that a user brings: a recorded bag becomes a data set to train on."""
