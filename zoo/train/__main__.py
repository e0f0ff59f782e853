"""Entry of the trial process; see `zoo.train.entry`."""

from zoo.train.entry import main

if __name__ == "__main__":
    main()
