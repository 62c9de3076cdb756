"""Running a plan: here or elsewhere, resumed where it stopped."""
