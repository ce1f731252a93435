"""`python -m agent0es`."""

from agent0es.cli.main import main

main()
