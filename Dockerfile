# syntax=docker/dockerfile:1
# Two stages, so that the image holds no compiler and no pip cache. Pin the base by digest when you build for
# production: docker buildx imagetools inspect python:3.12-slim-bookworm
FROM python:3.12-slim-bookworm AS build
WORKDIR /build
COPY requirements.txt .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --disable-pip-version-check -r requirements.txt

FROM python:3.12-slim-bookworm
ARG GIT_COMMIT=""
ENV GIT_COMMIT=${GIT_COMMIT} \
    PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LOG_FORMAT=json \
    BIND=0.0.0.0:8000 \
    HEALTH_PORT=8001 \
    PROMETHEUS_MULTIPROC_DIR=/tmp/metrics
# mariadb-client: `flask backup` and `flask restore`. The user owns nothing but its own folder for backups.
RUN apt-get update \
    && apt-get install -y --no-install-recommends mariadb-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /srv/island-time --shell /usr/sbin/nologin island-time \
    && install -d -o island-time /srv/island-time/backups /srv/island-time/instance
# The certificates that RDS's servers are signed with: DATABASE_CA_BUNDLE=/srv/rds.pem on AWS.
ADD --chmod=0444 https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem /srv/rds.pem
COPY --from=build /venv /venv
WORKDIR /srv/island-time
COPY server.py requirements.txt ./
COPY flask_app flask_app
COPY deploy/gunicorn.conf.py deploy/entrypoint.sh deploy/
USER island-time
EXPOSE 8000
# The health door is a thread of gunicorn's master: a frozen database must not have the container killed.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8001/healthz', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["deploy/entrypoint.sh"]
CMD ["serve"]
