from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

# A shell that starts its jobs in the background makes them deaf to Ctrl-C, which some tests are about.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Output is as wide as it needs to be, unless a test says otherwise: workers of pytest-xdist have COLUMNS set.
os.environ.pop("COLUMNS", None)

# Shared machines are slow at times, which is no property of paribus: only answers count, and the same ones every time.
settings.register_profile("paribus", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("paribus")
