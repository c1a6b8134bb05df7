"""The drop-in name of `procession up` for files and scripts written for drekar-launch.

`python -m drekar_launch`, or `drekar-launch`: see `procession.cli.drekar` for what it keeps.
"""

from procession.cli.drekar import main

__all__ = ["main"]

if __name__ == "__main__":
    raise SystemExit(main())
