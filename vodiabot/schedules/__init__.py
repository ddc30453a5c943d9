"""Work at certain times: every so often, at a moment, by a cron line. `cron` is pure; `jobs` waits, in trio."""

from .cron import Cron
from .jobs import Job, Schedules

__all__ = ["Cron", "Job", "Schedules"]
