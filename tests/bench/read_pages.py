"""How fast and how lean are 100,000 rows read? Our client against a plain loop, in the same run.

    python -m tests.bench.read_pages [--rows 100000] [--repeat 5]

The stand-in runs in a process of its own, so that it does not share our interpreter's lock. Both readers do
the same work (HTTPS, JSON, every row looked at) and take turns; the ratio is that of the medians.
"""

import argparse
import contextlib
import gc
import json
import statistics
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from time import perf_counter, process_time

import msal
import requests

from flask_app.dataverse.client import DataverseClient

PREFER = 'odata.maxpagesize=5000,odata.include-annotations="OData.Community.Display.V1.FormattedValue"'
COLUMNS = ("imi_jobid", "imi_imnumber", "imi_gc", "imi_scopesummary", "imi_submittalstatus", "modifiedon")
ORDER = ("createdon desc", "imi_jobid")
Settings = dict[str, str]
Reader = Callable[[], int]


def main() -> None:
    """Print rows per second of both readers, their ratio, and the memory that streaming takes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with standin(options.rows) as settings:
        ours, plain = our_reader(settings), plain_reader(settings)
        assert ours() == plain() == options.rows  # and both connections and tokens are there
        compare(ours, plain, options.rows, options.repeat)
        for pages in (4, options.rows // 5000):
            print(f"peak memory of streaming {pages} pages: {peak_of(settings, pages) / 2**20:.1f} MiB")


def compare(ours: Reader, plain: Reader, rows: int, repeat: int) -> None:
    """Let the readers take turns, in either order, and print what they did."""
    times: dict[Reader, list[float]] = {ours: [], plain: []}
    work: dict[Reader, list[float]] = {ours: [], plain: []}
    for turn in range(repeat):
        for reader in (ours, plain) if turn % 2 else (plain, ours):
            gc.collect()
            started, worked = perf_counter(), process_time()
            reader()
            times[reader].append(perf_counter() - started)
            work[reader].append(process_time() - worked)
    for name, reader in (("our client", ours), ("plain loop", plain)):
        each = ", ".join(f"{rows / seconds:,.0f}" for seconds in times[reader])
        print(f"{name}: {rows / statistics.median(times[reader]):,.0f} rows/s (median of {each})")
        print(f"{'':12}{statistics.median(work[reader]):.2f} s of our own processor time")
    print(f"ratio: {statistics.median(times[plain]) / statistics.median(times[ours]):.2f} (target: 0.85)")
    print(f"ratio of processor time: {statistics.median(work[plain]) / statistics.median(work[ours]):.2f}")


@contextlib.contextmanager
def standin(rows: int) -> Iterator[Settings]:
    """Run a stand-in with so many jobs, yield the settings that point at it."""
    command = [sys.executable, "-m", "flask_app.standin", "--generate", str(rows)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        names = ("BASE_URL", "TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "AUTHORITY", "CA_BUNDLE")
        lines = [process.stdout.readline().strip() for _ in names]
        try:
            yield dict(line.removeprefix("DATAVERSE_").split("=", 1) for line in lines)
        finally:
            process.terminate()


def new_client(settings: Settings) -> DataverseClient:
    """Return our client of the stand-in."""
    return DataverseClient(
        settings["BASE_URL"],
        settings["TENANT_ID"],
        settings["CLIENT_ID"],
        settings["CLIENT_SECRET"],
        authority=settings["AUTHORITY"],
        ca_bundle=settings["CA_BUNDLE"],
    )


def our_reader(settings: Settings) -> Reader:
    """Return a function that reads every page with our client and counts the rows."""
    client = new_client(settings)
    return lambda: sum(len(page) for page in client.pages("imi_jobs", select=COLUMNS, orderby=ORDER))


def plain_reader(settings: Settings) -> Reader:
    """Return a function that reads every page as simply as it can be done and counts the rows."""
    session = requests.Session()
    session.trust_env = False
    session.verify = settings["CA_BUNDLE"]
    application = msal.ConfidentialClientApplication(
        settings["CLIENT_ID"],
        client_credential=settings["CLIENT_SECRET"],
        authority=f"{settings['AUTHORITY']}/{settings['TENANT_ID']}",
        instance_discovery=False,
        http_client=session,
    )
    token = application.acquire_token_for_client([f"{settings['BASE_URL']}/.default"])["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Prefer": PREFER, "Accept": "application/json"}
    query = f"$select={','.join(COLUMNS)}&$orderby={','.join(ORDER)}"

    def read() -> int:
        count, link = 0, f"{settings['BASE_URL']}/api/data/v9.2/imi_jobs?{query}"
        while link:
            page = json.loads(session.get(link, headers=headers, timeout=30).content)
            count += len(page["value"])
            link = page.get("@odata.nextLink")
        return count

    return read


def peak_of(settings: Settings, pages: int) -> int:
    """Return the most bytes that Python held at once while streaming so many pages."""
    client = new_client(settings)
    stream = client.pages("imi_jobs", select=COLUMNS, orderby=ORDER)
    tracemalloc.start()
    for _ in range(pages):
        next(stream)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


if __name__ == "__main__":
    main()
