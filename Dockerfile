# One image for every role; the command chooses it: web by default, `python -m workers <pool>`, `python -m scheduler`,
# or a whole station with `python -m station`.

FROM python:3.13-slim-bookworm AS dependencies
WORKDIR /build
COPY requirements.lock ./
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements.lock

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/waystation --create-home waystation
COPY --from=dependencies /venv /venv
WORKDIR /srv
COPY . .
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    API_HOST=0.0.0.0 \
    API_PORT=8080 \
    WAYSTATION_DATA_DIR=/var/lib/waystation \
    WAYSTATION_LOG_FORMAT=json
# Listening where others can reach it, it asks callers for tokens; an admin's comes by WAYSTATION_ADMIN_TOKEN, or by
# `python -m station.admin_key` inside of the container.
USER 10001
EXPOSE 8080
# For web; docker-compose.yml has the other roles' own.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['API_PORT'] + '/health', timeout=4)"]
CMD ["gunicorn", "-c", "config/gunicorn.conf.py", "app.factory:create_app()"]
