#!/bin/sh
# Makes the secrets that compose.yaml hands over, once; they are not part of the repository.
set -eu
cd "$(dirname "$0")"
[ -d secrets ] && { echo "There are secrets already."; exit 0; }
umask 077
mkdir secrets
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
password=$(random)
printf %s "$password" > secrets/database_password
printf 'mysql+pymysql://island_time:%s@database/man_hours' "$password" > secrets/database_url
printf '%s%s' "$(random)" "$(random)" > secrets/secret_key
# The containers' own users have to read them.
chmod 0755 secrets && chmod 0444 secrets/*
