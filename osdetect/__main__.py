"""`python -m osdetect` is `osdetect`."""

from osdetect.cli import main

if __name__ == "__main__":
    main()
