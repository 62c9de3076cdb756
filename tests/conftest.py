from __future__ import annotations

from hypothesis import HealthCheck, settings

# Shared machines are slow at times, which is no property of paribus: only answers count, and the same ones every time.
settings.register_profile("paribus", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("paribus")
