"""MariaDB for the proofs: every commit reaches the disk, and it can be killed, frozen and started again."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from tests.servers import _install, _wait_until_up, find_mariadbd, free_port


class Database:
    """One server with a data directory and a port of its own. Use it in a with statement."""

    def __init__(self, folder: Path, *more: str, port: int | None = None, user_of_root: str = "root") -> None:
        server = find_mariadbd()
        if server is None:
            raise SystemExit("no mariadbd on this machine")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port = folder, port or free_port()
        self.url = f"mysql+pymysql://root@127.0.0.1:{self.port}"
        user = [f"--user={user_of_root}"] if os.geteuid() == 0 else []
        if user and user_of_root != "root":
            shutil.chown(folder, user_of_root)
        _install(server, folder / "data", user)
        self._command = [
            server, "--no-defaults", *user, f"--datadir={folder / 'data'}", f"--socket={folder}/s.sock",
            f"--port={self.port}", "--bind-address=127.0.0.1", f"--pid-file={folder}/pid",
            "--innodb-flush-log-at-trx-commit=1", "--skip-log-bin", f"--log-error={folder}/error.log",
            f"--tmpdir={folder}", "--max-connections=300", *more,
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *more: str) -> None:
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen([*self._command, *more], stdout=quiet, stderr=quiet)
        _wait_until_up(self._process, self.port, self.folder)

    def kill(self) -> None:
        """End it as a loss of power does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self._process is not None:
            os.kill(self._process.pid, number)

    def __enter__(self) -> "Database":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.thaw()
            self._process.terminate()
            self._process.wait(timeout=60)
