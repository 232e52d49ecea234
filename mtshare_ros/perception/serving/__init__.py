"""Every frame at once: each is served from the newest key that the network has made beside."""
