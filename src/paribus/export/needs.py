"""Packages that a format needs and that the default installation does not have."""

from __future__ import annotations

import importlib.util

from paribus.errors import Shown, UserError


def needed(package: str, extra: str, form: str) -> None:
    """Raises UserError, with the extra to install, where `package` is missing, which `form` needs."""
    if importlib.util.find_spec(package) is None:
        place, remedy = f"--format {form}", f"install paribus[{extra}]"
        raise UserError(f"needs the package {package}", given=Shown("none here"), place=place, remedy=remedy)
