"""wait.py - tests wait for events, never for seconds."""
import time

STEP_S = 0.02


def until(true, what, limit_s=30):
    """Call `true` until it returns something true, and return that."""
    end = time.monotonic() + limit_s
    while True:
        value = true()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {limit_s} s for: {what}")
        time.sleep(STEP_S)
