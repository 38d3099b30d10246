"""Reads Grid's Parquet files with DuckDB, knowing nothing of Grid, and prints one JSON object per row.

Usage: duckdb_read.py QUERY NAME=FILE[,FILE...]...
Each NAME becomes a view over its files. Numbers, times and decimals are printed so that nothing is lost.
"""

import datetime
import decimal
import json
import struct
import sys

import duckdb


def plain(value):
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")) or (value == 0 and str(value)[0] == "-"):
            return f"bits:{struct.pack('>d', value).hex()}"
        return value
    if isinstance(value, decimal.Decimal):
        text = format(value, "f")
        return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
    if isinstance(value, (datetime.datetime, datetime.date)):
        raise TypeError("read times as integers: epoch_ns(column)")
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    return value


connection = duckdb.connect()
for argument in sys.argv[2:]:
    name, files = argument.split("=", 1)
    quoted = ", ".join("'" + file.replace("'", "''") + "'" for file in files.split(","))
    connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet([{quoted}], union_by_name = true)")
cursor = connection.execute(sys.argv[1])
names = [column[0] for column in cursor.description]
while rows := cursor.fetchmany(1000):
    for row in rows:
        print(json.dumps(dict(zip(names, map(plain, row)))))
