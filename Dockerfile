# labgate as a sidecar: `labgate serve`, configured by environment variables alone.
#
#   docker build -t labgate .
#   docker run -p 127.0.0.1:8443:8443 -e LABGATE_UPSTREAM__URL=http://jupyter:8888 labgate
#
# Every key of config/labgate.toml is LABGATE_SECTION__KEY. The flags of the command work too,
# but the health check reads only the environment, so prefer that.

# On a network that inspects TLS, put its CA (PEM) beside this file as ca.pem: the packages are
# then fetched with it. It stays in the first stage, and out of the image.

# Any image with Python 3.11 or newer and its venv module, the same for both stages: the venv
# links to the interpreter it was made with.
ARG PYTHON_IMAGE=python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# The dependencies first: this layer stays while only labgate's own code changes.
# The brackets let ca.pem be missing, with BuildKit and with the builder before it.
COPY .ci/build.lock .ci/runtime.lock ca.pe[m] .ci/
RUN python3 -m venv /opt/labgate \
 && usual=$(/opt/labgate/bin/python -c 'from pip._vendor import certifi; print(certifi.where())') \
 && if [ -f .ci/ca.pem ]; then \
        { cat "$usual"; cat .ci/ca.pem; } > /authorities.pem; \
        export PIP_CERT=/authorities.pem; \
    fi \
 && /opt/labgate/bin/python -m pip install --no-compile --require-hashes -r .ci/runtime.lock \
 && python3 -m venv /build \
 && /build/bin/python -m pip install --require-hashes -r .ci/build.lock
COPY pyproject.toml README.md LICENSE ./
COPY proxy proxy
COPY config config
# Compiled here, because the user below may not write the byte code next to the code. Of packages
# that labgate never imports (rich brings them along), only the source is kept: 5 MB less. What
# packages bring for their own tests, for type checkers and for C is not kept: 1 MB less.
RUN /build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && /opt/labgate/bin/python -m pip install --no-compile --no-deps /dist/*.whl \
 && /opt/labgate/bin/python -m pip uninstall --yes setuptools pip \
 && find /opt/labgate/lib \( -name tests -o -name '*.py[ix]' -o -name '*.px[di]' -o -name '*.h' \) \
    -prune -exec rm -r {} + \
 && /opt/labgate/bin/python -m compileall -q -x '/(pygments|markdown_it)/' /opt/labgate/lib

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="labgate" \
      org.opencontainers.image.description="One Jupyter server on its own domain" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"
# A number, so that Kubernetes' runAsNonRoot can tell that it is not root. Group 0 may write the
# state folder too: OpenShift runs every container as a user of its own choice in that group.
RUN groupadd --gid 65532 labgate \
 && useradd --uid 65532 --gid 65532 --home-dir /var/lib/labgate --no-create-home \
    --shell /usr/sbin/nologin labgate \
 && install -d -o 65532 -g 0 -m 0770 /var/lib/labgate
COPY --from=build /opt/labgate /opt/labgate
# The name by which JupyterHub's Kubernetes chart starts the proxy.
RUN printf '#!/bin/sh\nexec /opt/labgate/bin/labgate hub "$@"\n' \
    > /usr/local/bin/configurable-http-proxy \
 && chmod 0755 /usr/local/bin/configurable-http-proxy
# BIND: labgate's own default for localhost is loopback, which no published port reaches.
# PYTHONMALLOC: memory goes back to the system after a crowd (config/labgate.service has more).
ENV PATH=/opt/labgate/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONMALLOC=malloc \
    LABGATE_LISTEN__BIND=0.0.0.0 \
    LABGATE_LOG__FORMAT=json \
    LABGATE_STATE__FOLDER=/var/lib/labgate
USER 65532:65532
WORKDIR /var/lib/labgate
# The development CA of localhost.
VOLUME /var/lib/labgate
# HTTPS and HTTP of a real domain, and of localhost. Docker lets every user of a container
# bind the low ones; elsewhere set LABGATE_LISTEN__HTTPS_PORT and LABGATE_LISTEN__HTTP_PORT.
EXPOSE 443 80 8443 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/opt/labgate/bin/python", "-m", "proxy.observe.health"]
ENTRYPOINT ["labgate"]
CMD ["serve"]
