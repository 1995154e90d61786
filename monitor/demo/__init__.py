"""The show of `monitor demo`: a video-chat product's database with faults, its traffic, and the daemon on it."""
