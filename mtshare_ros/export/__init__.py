"""Offline: torch networks -> ONNX bundles."""
