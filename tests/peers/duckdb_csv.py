"""Copies a CSV file to Parquet with DuckDB, every column as text or as the sniffer finds it, and says what it took.

Usage: duckdb_csv.py FILE.csv OUT.parquet THREADS
Prints one JSON object: version, rows, seconds of the clock and of all its threads' CPU.
"""

import json
import sys
import time

import duckdb

source, target, threads = sys.argv[1:]
connection = duckdb.connect(config={"threads": int(threads)})
wall, cpu = time.perf_counter(), time.process_time()
quoted = [name.replace("'", "''") for name in (source, target)]
copied = connection.execute(f"COPY (SELECT * FROM read_csv('{quoted[0]}')) TO '{quoted[1]}' (FORMAT parquet, COMPRESSION zstd)")
rows = copied.fetchone()[0]
spent = {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
print(json.dumps({"version": duckdb.__version__, "rows": rows, **spent}))
