"""`python -m deungdae.app.cli` is `deungdae`."""

import sys

from . import main

sys.exit(main())
