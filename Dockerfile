# pgarchitect in a container: docker run -v DIR:/etc/pgarchitect:ro -v state:/var/lib/pgarchitect -p 9779:9779 IMAGE
# DIR holds monitor.yaml (`monitor init` writes one). In it, web.listen must be "0.0.0.0:9779": loopback ends at the
# container's wall. Secrets come by !file from a mounted secret or by !env, never by building them in.

FROM python:3.13-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build

# First what changes seldom: a venv without pip, filled from outside with exactly what the lock says.
COPY requirements.lock ./
RUN python -m venv --without-pip /opt/pgarchitect \
    && pip --python /opt/pgarchitect/bin/python install --only-binary=:all: --require-hashes -r requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY monitor ./monitor
COPY probes ./probes
COPY config ./config
COPY dashboards ./dashboards
# hatchling stands in the lock because it builds us; it has nothing to do at run time.
RUN pip --python /opt/pgarchitect/bin/python install --no-deps --no-build-isolation . \
    && pip --python /opt/pgarchitect/bin/python uninstall --yes hatchling \
    && /opt/pgarchitect/bin/monitor --version


FROM python:3.13-slim-bookworm
ARG REVISION=unknown
LABEL org.opencontainers.image.title="pgarchitect" \
      org.opencontainers.image.description="A database architect that never sleeps: watches live PostgreSQL." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"

# A fixed uid, so that volumes keep their owner and `runAsNonRoot` can be proved.
RUN groupadd --gid 10001 monitor \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/pgarchitect --shell /usr/sbin/nologin monitor \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/pgarchitect \
    && install --directory --mode=0755 /etc/pgarchitect

COPY --from=build /opt/pgarchitect /opt/pgarchitect

ENV PATH="/opt/pgarchitect/bin:${PATH}" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# glibc's allocator gives memory back after a flood of findings; Python's own is a tenth quicker.
ENV PYTHONMALLOC=malloc MALLOC_ARENA_MAX=1
USER 10001:10001
WORKDIR /var/lib/pgarchitect
VOLUME ["/var/lib/pgarchitect"]
EXPOSE 9779

# The process, not its targets: a database that is down must not restart the one who says so.
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s --retries=3 \
    CMD ["python", "-c", "import http.client; door = http.client.HTTPConnection('127.0.0.1', 9779, timeout=4); door.request('GET', '/healthz'); raise SystemExit(door.getresponse().status != 200)"]

ENTRYPOINT ["monitor"]
CMD ["run", "--config", "/etc/pgarchitect/monitor.yaml"]
