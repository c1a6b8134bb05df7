"""`python -m drekar_launch` with the given words, as a program whose window can be closed."""

import sys

from drekar_launch import main

sys.exit(main())
