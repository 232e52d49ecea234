"""What stands in a simulated room."""
