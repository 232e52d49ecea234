"""The engine for development: PyTorch."""
