"""A base for what lies in Lance tables: opened at a version, on a disk or in an object store, its errors said.

It brings no component. Importing it imports neither torch nor lance.
"""

from rankhub_lance.blocks import BlockCache as BlockCache
from rankhub_lance.rows import Rows as Rows
from rankhub_lance.store import Store as Store
from rankhub_lance.store import StoreError as StoreError
from rankhub_lance.table import open_table as open_table
from rankhub_lance.table import package as package

__all__ = ["BlockCache", "Rows", "Store", "StoreError", "open_table", "package"]
