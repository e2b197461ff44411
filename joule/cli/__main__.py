"""`python -m joule.cli`: the same command line, started by its interpreter rather than by its script."""

from joule.cli.main import main

main()
