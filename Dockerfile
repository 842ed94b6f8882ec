FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/linq-mcp && /opt/linq-mcp/bin/pip install --no-cache-dir '.[files,http,postgres]'

FROM python:3.13-slim
COPY --from=build /opt/linq-mcp /opt/linq-mcp
ENV PATH=/opt/linq-mcp/bin:$PATH
# A user without a name, a home, or rights.
USER 65532:65532
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8000, timeout=2); c.request('GET', '/healthz'); exit(c.getresponse().status != 200)"]
ENTRYPOINT ["linq-mcp", "http", "--host", "0.0.0.0", "--log-format", "json"]
