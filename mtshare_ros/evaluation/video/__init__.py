"""A camera, a video or a bag as a robot would get its outputs, shown side by side."""
