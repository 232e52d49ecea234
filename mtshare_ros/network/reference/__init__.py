"""What is compared and never ships: the paper's element-wise scheme, replaced units."""
