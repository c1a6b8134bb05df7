"""`python -m procession`: the same as the console script."""

from procession.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
