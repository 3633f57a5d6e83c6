# UNPROVEN: this file could not be built where it was written (no container engine). It takes the same steps as the bootstrap, `./callout`,
# in two stages: packages and front end first, then a small image that runs as nobody in particular. Please report what it needs.
#
#   docker build -t callout .
#   docker run --rm -p 127.0.0.1:8080:8080 -v callout-data:/data callout serve --config /data/site.toml
#
# In /data/site.toml: [web] host = "0.0.0.0", or nobody outside the container reaches the page; and [data] folder = "data", so that
# everything lies in the volume. No UDP port is published: live video then comes over HTTP by itself. With --network host it comes by WebRTC.

FROM python:3.13-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends nodejs npm && rm -rf /var/lib/apt/lists/*
WORKDIR /callout
COPY requirements requirements
RUN python -m venv .venv && .venv/bin/python -m pip install --no-cache-dir --require-hashes -r requirements/run.txt
COPY . .
# The bootstrap finds the packages there, brings web/static/vendor, and marks both as done, so that nothing is installed at run time.
RUN ./callout models verify

FROM python:3.13-slim
RUN useradd --create-home --uid 10001 callout && mkdir /data && chown callout /data
WORKDIR /callout
COPY --from=build --chown=root:root /callout /callout
USER callout
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["./callout"]
CMD ["serve", "--config", "/data/site.toml"]
