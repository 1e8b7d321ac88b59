"""For every test: threads that wait do not spin, as in the processes under test (shared/threads.py)."""

from shared.threads import limit_threads

limit_threads(0)
