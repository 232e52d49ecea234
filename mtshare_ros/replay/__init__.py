"""A bag through the live node, and the node under load."""
