# Two images: axon, the program alone, beside an Envoy that is there already; and axon-envoy, with the Envoy that it is tested with.
# The steps are those of the Makefile, so that both build the same; "make image" builds both.

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY . .
ARG VERSION=dev
RUN make build VERSION="$VERSION" && mkdir -p /run/axon /var/lib/axon

FROM build AS build-envoy
RUN make envoy

FROM scratch AS axon
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /src/LICENSE /
COPY --from=build /src/bin/axon /usr/local/bin/
COPY --from=build --chown=65532:65532 --chmod=0750 /run/axon /run/axon
COPY --from=build --chown=65532:65532 --chmod=0750 /var/lib/axon /var/lib/axon
# A volume there keeps drains and the last accepted configuration over a new container.
ENV STATE_DIRECTORY=/var/lib/axon
USER 65532:65532
# xDS and ext_authz are on unix sockets in /run/axon, unless the configuration says otherwise; 9090 is metrics and health.
EXPOSE 9090
ENTRYPOINT ["/usr/local/bin/axon"]
CMD ["run", "-c", "/etc/axon/axon.yaml"]

# Envoy is linked with glibc, so it needs more than an empty image.
FROM debian:bookworm-slim AS axon-envoy
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /src/LICENSE /
COPY --from=build /src/bin/axon /usr/local/bin/
COPY --from=build-envoy /src/bin/envoy /usr/local/bin/
COPY --from=build --chown=65532:65532 --chmod=0750 /run/axon /run/axon
COPY --from=build --chown=65532:65532 --chmod=0750 /var/lib/axon /var/lib/axon
# A volume there keeps drains and the last accepted configuration over a new container.
ENV STATE_DIRECTORY=/var/lib/axon
USER 65532:65532
EXPOSE 8008 9090
ENTRYPOINT ["/usr/local/bin/axon"]
CMD ["run", "-c", "/etc/axon/axon.yaml"]
