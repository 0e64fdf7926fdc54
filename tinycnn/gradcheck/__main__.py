"""`python -m tinycnn.gradcheck`."""
import sys

from .command import main

sys.exit(main())
