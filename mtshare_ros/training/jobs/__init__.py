"""How each kind of stage is trained: its job and its trainer."""
