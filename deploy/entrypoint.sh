#!/bin/sh
# serve: gunicorn. Anything else is one of the program's commands: db upgrade, create-user, sync-jobs, backup ...
set -eu
if [ "${1:-serve}" = serve ]; then
    # A fresh folder per start: counters of processes that are gone must not be counted again.
    if [ -n "${PROMETHEUS_MULTIPROC_DIR:-}" ]; then
        rm -rf "$PROMETHEUS_MULTIPROC_DIR"
        mkdir -p "$PROMETHEUS_MULTIPROC_DIR"
    fi
    exec gunicorn -c deploy/gunicorn.conf.py server:app
fi
# A command counts nothing, and the folder of the counters is made by serve.
unset PROMETHEUS_MULTIPROC_DIR
exec flask --app server "$@"
