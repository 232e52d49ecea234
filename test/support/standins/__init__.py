"""Stand-ins for TensorRT and CUDA: strict at their boundary, on the CPU behind it."""
