"""Results in other tools' formats, and whole workspaces as one file: read from a workspace, nothing is trained."""
