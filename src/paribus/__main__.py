"""`python -m paribus`."""

import sys

from paribus.cli.main import main

sys.exit(main())
