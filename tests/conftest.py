"""For every test: threads that wait do not spin, as in the processes under test (shared/process/threads.py)."""

from shared.process.threads import limit_threads

limit_threads(0)
