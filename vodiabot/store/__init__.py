"""A durable key-value store, one SQLite file each: what was acknowledged survives kill -9 and a power cut.

`store.Store` is what tasks hold; `worker` the thread that owns the file; `file` what is done in that thread; `ops` the
single operations.
"""

from .ops import StoreView
from .store import Store
from .transaction import Transaction

__all__ = ["Store", "StoreView", "Transaction"]
