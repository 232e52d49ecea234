"""``python -m mtshare_ros`` is ``mtshare``; what ``torchrun -m`` starts."""

from mtshare_ros.cli import main

if __name__ == "__main__":
    main()
