"""Tries what is shipped in deploy/ as far as this machine can: `python -m tests.proof.deployments`.

nginx with its file as it is (but for names, ports and certificates), the container's processes without a
container, systemd's and CloudFormation's own checkers. What can't be tried here is named, not left out.
"""

import datetime as dates
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import requests
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from flask_app.models.database import PROJECT
from tests.proof.mariadb import Database
from tests.proof.shop import wait_until
from tests.servers import free_port, new_database

CFN_LINT = "cfn-lint==1.58.0"
HOST = "clock.example.com"
PATIENCE = 60  # seconds; a machine may have other things to do
DEPLOY = PROJECT / "deploy"


class NotHere(Exception):
    """This machine lacks what the trial needs."""


def run(*command: str, **how: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, **how)
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def tool(name: str) -> str:
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if not found:
        raise NotHere(f"{name} is not installed")
    return found


def cloudformation(folder: Path) -> str:
    run(sys.executable, "-m", "venv", str(folder / "venv"))
    run(str(folder / "venv/bin/pip"), "install", "-q", "--disable-pip-version-check", CFN_LINT)
    run(str(folder / "venv/bin/cfn-lint"), str(DEPLOY / "aws/island-time.yaml"))
    return "cfn-lint has nothing to say"


def systemd(folder: Path) -> str:
    """The units, with the paths of this checkout; systemd wants to see the programs that they start."""
    analyze = tool("systemd-analyze")
    units = []
    for unit in sorted(DEPLOY.glob("ec2/island-time*.*")):
        units.append(folder / unit.name)
        units[-1].write_text(unit.read_text().replace("/opt/island-time", str(PROJECT)))
    said = run(analyze, "verify", "--man=no", *map(str, units))
    assert "island-time" not in said, said
    rated = run(analyze, "security", "--offline=yes", "--no-pager", str(folder / "island-time.service"))
    return "verify is silent; " + rated.strip().splitlines()[-1].strip("→ ")


def dockerfile(_folder: Path) -> str:
    text = (PROJECT / "Dockerfile").read_text()
    for needed in ("USER island-time", "HEALTHCHECK", "--no-install-recommends", "STOPSIGNAL SIGTERM"):
        assert needed in text, needed
    hadolint = shutil.which("hadolint")
    if hadolint:
        run(hadolint, str(PROJECT / "Dockerfile"))
        return "hadolint has nothing to say"
    raise NotHere("hadolint is not installed and nothing was built; read by its own checks: they hold")


def compose_file(_folder: Path) -> str:
    services = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text())["services"]
    assert set(services) == {"database", "upgrade", "app", "proxy"}
    assert services["app"]["depends_on"]["upgrade"]["condition"] == "service_completed_successfully"
    secrets = set(services["app"]["secrets"])
    assert {f"{name.upper()}_FILE" for name in secrets} <= set(services["app"]["environment"])
    return "four services, upgraded before they serve; no container was started"


@contextmanager
def container(folder: Path, url: str) -> Iterator[dict[str, Any]]:
    """The container's processes: its entry point, settings and secrets, as a process of this machine."""
    secrets = folder / "compose"
    shutil.copytree(DEPLOY / "compose", secrets)
    run("sh", str(secrets / "make-secrets.sh"))
    (secrets / "secrets/database_url").write_text(url)
    port, health = free_port(), free_port()
    env = {
        "PATH": f"{PROJECT / '.venv/bin'}:{os.environ['PATH']}", "LOG_FORMAT": "json",
        "BIND": f"127.0.0.1:{port}", "HEALTH_PORT": str(health), "TRUSTED_PROXIES": "1",
        "TRUSTED_HOSTS": f"{HOST} 127.0.0.1", "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
        "DATABASE_TLS": "encrypt", "DATABASE_URL_FILE": str(secrets / "secrets/database_url"),
        "SECRET_KEY_FILE": str(secrets / "secrets/secret_key"), "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    entry = str(DEPLOY / "entrypoint.sh")
    run("sh", entry, "db", "upgrade", cwd=PROJECT, env=env)
    person = ("--email", "you@example.com", "--first-name", "Ada", "--last-name", "Lee")
    made = run("sh", entry, "create-user", *person, "--department", "ADMINISTRATIVE", cwd=PROJECT, env=env)
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(["sh", entry], cwd=PROJECT, env=env, stdout=log, stderr=log)
        try:
            wait_until(
                lambda: says(f"http://127.0.0.1:{health}/healthz") == 200, 120, "the container is healthy"
            )
            yield {"port": port, "password": made.split("Password: ")[1].strip(), "server": server}
        finally:
            server.terminate()
            server.wait(timeout=30)  # longer than compose and ECS give it


def says(address: str) -> int:
    try:
        return requests.get(address, timeout=PATIENCE, allow_redirects=False).status_code
    except requests.RequestException:
        return 0


def containers_processes(folder: Path, url: str) -> str:
    with container(folder, url) as one:
        base = f"http://127.0.0.1:{one['port']}"
        assert says(f"{base}/readyz") == 200
        assert requests.get(base, headers={"Host": "elsewhere.example"}, timeout=PATIENCE).status_code == 400
    assert one["server"].returncode == 0
    return "upgrade, first admin, /healthz on its port, /readyz, a strange Host refused, stopped within 30 s"


@contextmanager
def proxied(folder: Path, upstream: int) -> Iterator[dict[str, int]]:
    """nginx with the shipped file; only ports, certificate and upstream are this machine's."""
    nginx = tool("nginx")
    ports = {"http": free_port(), "https": free_port()}
    certificate(folder)
    site = (DEPLOY / "ec2/nginx.conf").read_text()
    site = site.replace("127.0.0.1:8000", f"127.0.0.1:{upstream}")
    site = re.sub(r"listen \[::\].*;", "", site)
    site = site.replace("listen 80;", f"listen 127.0.0.1:{ports['http']};")
    site = site.replace("listen 443 ", f"listen 127.0.0.1:{ports['https']} ")
    site = re.sub(r"/etc/letsencrypt/live/[^/]+", str(folder), site)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    conf = folder / "nginx.conf"
    conf.write_text(
        f"worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off; {temporary}\n{site}}}\n"
    )
    run(nginx, "-t", "-q", "-c", str(conf), "-p", str(folder))
    process = subprocess.Popen([nginx, "-c", str(conf), "-p", str(folder), "-g", "daemon off;"])
    try:
        wait_until(lambda: says(f"http://127.0.0.1:{ports['http']}") != 0, 20, "nginx answers")
        yield ports
    finally:
        process.terminate()
        process.wait(timeout=20)


def certificate(folder: Path) -> None:
    """Write a certificate that only this trial believes."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = dates.datetime.now(dates.UTC)
    names: list[x509.GeneralName] = [x509.DNSName(HOST), x509.IPAddress(ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dates.timedelta(hours=1))
        .not_valid_after(now + dates.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "fullchain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "privkey.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, pem, plain))


def nginx(folder: Path, url: str) -> str:
    with container(folder, url) as one, proxied(folder, one["port"]) as ports:
        base, browser = f"https://127.0.0.1:{ports['https']}", requests.Session()
        browser.verify, browser.trust_env = str(folder / "fullchain.pem"), False
        browser.headers["Host"] = HOST
        plain = browser.get(f"http://127.0.0.1:{ports['http']}/jobs", allow_redirects=False, timeout=PATIENCE)
        assert (plain.status_code, plain.headers["Location"]) == (301, f"https://{HOST}/jobs")
        page = browser.get(base, timeout=PATIENCE)
        assert "max-age" in page.headers["Strict-Transport-Security"]
        assert "; Secure" in page.headers["Set-Cookie"]
        logs_in(browser, base, page.text, one["password"])
        assert "X-Forwarded" not in browser.get(f"{base}/office", timeout=PATIENCE).text, (
            "a header is missing"
        )
        refuses(browser, base)
    return "http leads to https, HSTS, Secure cookies, login, forged addresses replaced, limits"


def logs_in(browser: requests.Session, base: str, page: str, password: str) -> None:
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token
    form = {"email": "you@example.com", "password": password, "csrf_token": token[1]}
    referer = {"Referer": f"https://{HOST}/"}
    cookie = browser.cookies.get_dict()["island_time"]
    headers = {**referer, "Cookie": f"island_time={cookie}", "X-Forwarded-For": "9.9.9.9, 8.8.8.8"}
    answer = browser.post(
        f"{base}/login", data=form, headers=headers, allow_redirects=False, timeout=PATIENCE
    )
    assert answer.status_code == 302, answer.text[:300]


def refuses(browser: requests.Session, base: str) -> None:
    assert browser.get(f"{base}/metrics", timeout=PATIENCE).status_code == 403
    assert browser.post(f"{base}/login", data={"x": "y" * 400_000}, timeout=PATIENCE).status_code == 413
    many = [browser.post(f"{base}/login", data={}, timeout=PATIENCE).status_code for _ in range(80)]
    assert 429 in many
    assert many[0] != 429


def main() -> None:
    failed = 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database = stack.enter_context(Database(folder / "database"))
        trials: dict[str, Callable[[Path], str]] = {
            "CloudFormation": cloudformation,
            "systemd": systemd,
            "Dockerfile": dockerfile,
            "compose.yaml": compose_file,
            "container's processes": lambda own: containers_processes(own, new_database(database.url, "one")),
            "nginx": lambda own: nginx(own, new_database(database.url, "two")),
        }
        for number, (name, trial) in enumerate(trials.items()):
            own = folder / f"trial{number}"
            own.mkdir()
            failed += not tried(name, lambda own=own, trial=trial: trial(own))
    print("not tried here: docker build, docker compose up, an AWS account")
    sys.exit(1 if failed else 0)


def tried(name: str, trial: Callable[[], str]) -> bool:
    try:
        print(f"ok         {name}: {trial()}", flush=True)
    except NotHere as lacking:
        print(f"not tried  {name}: {lacking}", flush=True)
    except (AssertionError, OSError, subprocess.SubprocessError) as wrong:
        print(f"FAILED     {name}: {wrong}", flush=True)
        return False
    return True


if __name__ == "__main__":
    main()
