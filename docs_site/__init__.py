"""The documentation as a site: pages of `docs`, references made from the code, notebooks executed. Needs no network."""
