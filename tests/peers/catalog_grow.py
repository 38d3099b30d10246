"""Makes a data directory with very many files out of one with a few: links each file under new names and adds them to the catalog,
each in a window of its own further back in time.

Usage: catalog_grow.py DATA_DIR TENANT FILES. The server must not run. Prints how many files the catalog then has.
"""

import os
import sqlite3
import sys

WINDOW_NS = 2 * 3600 * 10**9

folder, tenant, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
catalog = sqlite3.connect(os.path.join(folder, "catalog.db"))
cursor = catalog.execute("SELECT * FROM files WHERE tenant = ? AND table_name IN ('samples', 'logs', 'spans')", (tenant,))
columns = [column[0] for column in cursor.description]
seeds = [dict(zip(columns, row)) for row in cursor]
(count,) = catalog.execute("SELECT count(*) FROM files").fetchone()


def link(path, number):
    """A new name of a file beside it, below `files/` as the catalog writes paths."""
    stem, dot, ending = path.rpartition(".")
    new = f"{stem}-{number}{dot}{ending}"
    prefix = "" if os.path.exists(os.path.join(folder, path)) else "files"
    os.link(os.path.join(folder, prefix, path), os.path.join(folder, prefix, new))
    return new


number = 0
while count < wanted:
    seed = dict(seeds[number % len(seeds)])
    number += 1
    # A file of a closed window of its own: all of them at rest, none to be merged.
    back = (number // len(seeds) + 1) * WINDOW_NS
    start = seed["min_time"] // WINDOW_NS * WINDOW_NS - back
    seed.update(id=None, path=link(seed["path"], number), min_time=start, max_time=start + WINDOW_NS - 1)
    if seed.get("text_index"):
        seed["text_index"] = link(seed["text_index"], number)
    marks = ", ".join("?" * len(columns))
    catalog.execute(f"INSERT INTO files ({', '.join(columns)}) VALUES ({marks})", [seed[c] for c in columns])
    count += 1
catalog.commit()
catalog.close()
print(count)
