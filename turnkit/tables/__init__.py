"""Tables: recorded calls as rows, one a turn, one a draft and one a signal, in Parquet, in a directory or a store.

`COLUMNS` says what each column is; docs/many-recordings.md has the questions. `pip install 'turnkit[parquet]'`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import on_first_use

if TYPE_CHECKING:
    from .columns import COLUMNS, Column
    from .dataset import Dataset
    from .one_file import OneFile
    from .part import Part, part_of
    from .places import Folder, Place, Store, place_of
    from .rows import rows_of

__all__ = [
    "COLUMNS",
    "Column",
    "Dataset",
    "Folder",
    "OneFile",
    "Part",
    "Place",
    "Store",
    "part_of",
    "place_of",
    "rows_of",
]

__getattr__, __dir__ = on_first_use(
    __name__,
    {
        "COLUMNS": "columns",
        "Column": "columns",
        "Dataset": "dataset",
        "Folder": "places",
        "OneFile": "one_file",
        "Part": "part",
        "Place": "places",
        "Store": "places",
        "part_of": "part",
        "place_of": "places",
        "rows_of": "rows",
    },
)
