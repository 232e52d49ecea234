"""How the image moved since a frame, how the camera did, and what that does to its maps."""
