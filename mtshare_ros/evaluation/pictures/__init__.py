"""Pictures of frames and maps."""
