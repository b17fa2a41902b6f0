# The page that checks titles. docs/deploy.md says how to run it.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 PYTHONPATH=/app PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

COPY requirements-app.lock LICENSE judul.toml ./
RUN python -m pip install --require-hashes -r requirements-app.lock
COPY judul_lib judul_lib
COPY outputs/light outputs/light
COPY outputs/structured outputs/structured
RUN useradd --uid 10001 --create-home judul && mkdir -p outputs/logs && chown judul outputs/logs
USER judul

# The page is reachable from outside the container, so JUDUL_TOKEN must be given.
ENV JUDUL_HOST=0.0.0.0 JUDUL_PORT=8866
EXPOSE 8866
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD python -c "import os, urllib.request as u; u.urlopen(f'http://localhost:{os.environ[\"JUDUL_PORT\"]}/health', timeout=4)"
CMD ["python", "-m", "judul_lib", "app"]
