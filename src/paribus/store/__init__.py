"""What is recorded, and kept: the workspace, its database and its tensor files."""
