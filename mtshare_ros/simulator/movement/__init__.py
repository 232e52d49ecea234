"""How cameras, people and things move through a simulated room."""
