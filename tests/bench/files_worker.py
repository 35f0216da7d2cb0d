"""One version of the program that writes files, for files_speed.py: it fills its database, then answers each
line (the address of a file) with seconds, lines and bytes, and the most memory it has had, as JSON.

It uses only what the program at 52a26c0 has as well: it runs in that tree too.
"""

import json
import os
import re
import resource
import sys
from time import perf_counter, process_time

from flask_app import create_app, migrations
from flask_app.config import Config
from tests.bench.busy_shop import PASSWORD, fill


def main() -> None:
    url, people, jobs, shifts = sys.argv[1], *(int(number) for number in sys.argv[2:5])
    config = Config(database_url=url, secret_key="k" * 32, meal_minutes=30)
    app = create_app(config)
    engine = app.extensions["engine"]
    migrations.upgrade(engine)
    with engine.connect() as connection:
        fill(connection, zone=config.shop_timezone, people=people, jobs=jobs, shifts=shifts)
    browser = app.test_client()
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/").text)[1]
    form = {"csrf_token": token, "email": "p0@bench.example", "password": PASSWORD}
    assert browser.post("/login", data=form).status_code == 302
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(fetched(browser, line.strip())), flush=True)


def fetched(browser, path: str) -> dict[str, float]:
    begin, cpu, size, lines = perf_counter(), process_time(), 0, 0
    answer = browser.get(path, buffered=False)
    assert answer.status_code == 200, answer.text
    for piece in answer.iter_encoded():
        size += len(piece)
        lines += piece.count(b"\n")
    answer.close()
    seconds, of_cpu = perf_counter() - begin, process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB
    return {"seconds": seconds, "cpu": of_cpu, "lines": lines, "bytes": size, "peak": peak}


if __name__ == "__main__":
    os.environ.setdefault("TZ", "UTC")
    main()
