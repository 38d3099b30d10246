"""Answers SQL from standard input with DuckDB and says how long each statement took.

Usage: duckdb_bench.py THREADS NAME=FILE[,FILE...]...
Each NAME becomes a view over its files. Each line of input is one statement as a JSON text; each line of output is a JSON
object: milliseconds until all rows were fetched, and the rows by column name.
"""

import decimal
import json
import sys
import time

import duckdb


def plain(value):
    if isinstance(value, decimal.Decimal):
        text = format(value, "f")
        return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
    return value


connection = duckdb.connect(config={"threads": int(sys.argv[1])})
for argument in sys.argv[2:]:
    name, files = argument.split("=", 1)
    quoted = ", ".join("'" + file.replace("'", "''") + "'" for file in files.split(","))
    # The view of docs/formats/parquet.md, "Numbers".
    columns = (
        "* REPLACE (coalesce(value, CASE WHEN value_scale < 1 "
        "THEN (value_mantissa + coalesce(value_base, 0)) * abs(value_scale) "
        "ELSE (value_mantissa + coalesce(value_base, 0)) / value_scale END) AS value)"
        if name == "samples"
        else "*"
    )
    connection.execute(f"CREATE VIEW {name} AS SELECT {columns} FROM read_parquet([{quoted}], union_by_name = true)")
print(json.dumps({"version": duckdb.__version__}), flush=True)
for line in sys.stdin:
    started = time.perf_counter()
    cursor = connection.execute(json.loads(line))
    names = [column[0] for column in cursor.description]
    rows = cursor.fetchall()
    milliseconds = (time.perf_counter() - started) * 1000
    rows = [dict(zip(names, map(plain, row))) for row in rows]
    print(json.dumps({"ms": milliseconds, "rows": rows}), flush=True)
