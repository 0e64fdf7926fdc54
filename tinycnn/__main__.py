"""`python -m tinycnn` is `tinycnn`."""
import sys

from .cli import main

sys.exit(main())
