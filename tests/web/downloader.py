"""A process that downloads a report, for test_downloads.py: it reads what to fetch as a line of JSON, says
"half" when it has the first piece, goes on when it gets another line, and prints how many lines it got."""

import json
import sys

from flask_app import create_app
from flask_app.config import Config


def main(url: str, email: str, password: str, path: str) -> int:
    app = create_app(Config(database_url=url, secret_key="k" * 32, bcrypt_rounds=4))
    app.config["WTF_CSRF_ENABLED"] = False
    browser = app.test_client()
    browser.post("/login", data={"email": email, "password": password})
    answer = browser.get(path, buffered=False)
    pieces = answer.iter_encoded()
    text = next(pieces)
    print("half", flush=True)  # noqa: T201  # the test waits for this word
    sys.stdin.readline()
    text += b"".join(pieces)
    answer.close()
    app.extensions["engine"].dispose()
    return text.count(b"\n")


if __name__ == "__main__":
    print(main(**json.loads(sys.stdin.readline())), flush=True)  # noqa: T201  # and reads this
