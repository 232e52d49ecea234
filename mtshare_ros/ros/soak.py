"""Says where the soak has gone, for one release."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    print("this command has moved: run `mtshare soak` with the same options", file=sys.stderr)
    sys.exit(2)
