"""python -m flask_app.standin: run a stand-in, print the environment that points an app at it."""

import argparse
import json
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .access import Access
from .schema import COLUMNS, STATUS_SHAPES
from .standin import Standin


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until interrupted."""
    options = _parser().parse_args(arguments)
    rows = json.loads(options.jobs.read_text(encoding="utf-8")) if options.jobs else None
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    with Standin(
        rows=rows,
        generate=options.generate,
        port=options.port,
        seed=options.seed,
        directory=options.directory,
        status=options.status,
        without=options.without,
        access=_access(options),
        max_page_size=options.max_page_size,
        log=_log,
    ) as standin:
        for name, value in standin.environment().items():
            sys.stdout.write(f"{name}={value}\n")
        sys.stdout.flush()
        done.wait()
    return 0


def _access(options: argparse.Namespace) -> Access:
    return Access(
        member=not options.no_member,
        read=not options.no_read,
        write=not options.read_only,
        metadata=not options.no_metadata,
        depth=options.depth,
        audience=options.audience,
        secured=frozenset(options.secured),
    )


def _log(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flask_app.standin", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--jobs", type=Path, metavar="FILE.json", help="a JSON list of imi_jobs rows")
    source.add_argument("--generate", type=int, default=0, metavar="N", help="make up N jobs")
    parser.add_argument("--seed", type=int, default=7, help="of the made-up jobs")
    parser.add_argument("--directory", type=Path, help="where to write the certificate")
    parser.add_argument("--read-only", action="store_true", help="refuse every write with 403")
    parser.add_argument(
        "--status", choices=STATUS_SHAPES, default="choice", help="what imi_submittalstatus is"
    )
    several: dict[str, Any] = {
        "action": "append", "default": [], "metavar": "COLUMN", "choices": tuple(COLUMNS),
    }  # fmt: skip
    parser.add_argument("--without", **several, help="leave a column out; may be repeated")
    parser.add_argument("--secured", **several, help="show a column as null (column security)")
    parser.add_argument("--no-metadata", action="store_true", help="refuse to tell about tables and columns")
    parser.add_argument("--depth", choices=("Basic", "Local", "Deep", "Global"), default="Global")
    parser.add_argument("--audience", metavar="URL", default="", help="issue tokens for somebody else")
    parser.add_argument("--no-read", action="store_true", help="refuse to read jobs")
    parser.add_argument("--no-member", action="store_true", help="know the application, but not as a user")
    parser.add_argument("--max-page-size", type=int, default=5000)
    return parser


if __name__ == "__main__":
    sys.exit(main())
