"""Calls a function again when it fails, with a longer wait each time."""

import random
import time


class RetryError(Exception):
    """Every attempt failed; the last error is the cause."""


def backoff(attempt, base=0.5):
    """Seconds to wait after the given attempt (counted from zero)."""
    return base * 2**attempt


def retry(function, attempts=3, base=0.5, sleep=time.sleep):
    """Returns what function returns, trying it up to `attempts` times."""
    for attempt in range(attempts):
        try:
            return function()
        except Exception as error:
            last = error
            sleep(backoff(attempt, base))
    raise RetryError(f"gave up after {attempts} attempts") from last


def shuffled(items):
    """A copy of items in random order."""
    copy = list(items)
    random.shuffle(copy)
    return copy
