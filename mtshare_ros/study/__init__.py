"""The study of sharing: every way to share, scored on the same test rooms, as one table."""
