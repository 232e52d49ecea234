"""The paper's element-wise scheme, measured."""
