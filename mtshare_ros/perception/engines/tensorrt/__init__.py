"""The engine for NVIDIA GPUs: TensorRT."""
