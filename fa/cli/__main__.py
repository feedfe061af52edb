"""`python -m fa.cli`: the same as `fa`, where its script is not installed."""

import sys

from fa.cli.main import main

sys.exit(main())
