"""pyarrow, where it is installed: its parts that the tables need, under plain names."""

from __future__ import annotations

from ..errors import ConfigError

try:
    import pyarrow as arrow
    import pyarrow.compute as compute
    import pyarrow.parquet as parquet
except ImportError as error:
    raise ConfigError("to write tables, pip install 'turnkit[parquet]'") from error

__all__ = ["arrow", "compute", "parquet"]
