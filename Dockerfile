# kontor's images, all from this file; --target says which:
#   processor   one processor, its binary's name in PROCESSOR: docker build --target processor --build-arg PROCESSOR=kontor-invoice -t kontor-invoice .
#   kontor      the command `kontor`, and `setup`, which declares topics and schemas
#   probe       sends synthetic events and follows them; its events are /etc/kontor/probe.json, the sample's unless another file is mounted there
#   sample      the same with the real log and the invented office, ready to be fed
# All run as user 10001 on a read-only root file system. What they write is in the volume /var/lib/kontor, the state, which can be rebuilt from Kafka.

FROM debian:bookworm-slim AS tools
WORKDIR /kontor
COPY deploy/local/install deploy/local/lib.sh deploy/local/
RUN deploy/local/install --no-java

FROM tools AS build
COPY CMakeLists.txt ./
COPY schemas schemas
COPY common common
COPY processors processors
COPY cli cli
COPY deploy/topics.tsv deploy/local/processors deploy/
RUN programs="kontor $(sed 's/#.*//' deploy/processors)" && cmake -S . -B build -G Ninja >/dev/null && ninja -C build $programs \
 && mkdir bin && cd build/bin && for program in $programs; do strip -o /kontor/bin/$program $program; done

FROM tools AS sample-data
COPY deploy/local/sample deploy/local/sample
RUN cd deploy/local/sample && ./p2p-to-events p2p/events.jsonl.gz p2p/cases.jsonl.gz /tmp/p2p --payments >/dev/null \
 && ./office /tmp/office --master-source SAP-P2P >/dev/null && ./together /kontor/sample /tmp/p2p /tmp/office >/dev/null \
 && gzip -9 /kontor/sample/*.events.jsonl && cp p2p/README.md /kontor/sample/README.md

FROM debian:bookworm-slim AS runtime
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates libcurl4 libjansson4 liblmdb0 libmicrohttpd12 librdkafka1 tzdata \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* \
 && groupadd --gid 10001 kontor && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin kontor \
 && install -d -o 10001 -g 10001 -m 0750 /var/lib/kontor
COPY LICENSE NOTICE /usr/share/doc/kontor/
LABEL org.opencontainers.image.vendor="kontor" org.opencontainers.image.version="0.1.0" org.opencontainers.image.licenses="Apache-2.0"
USER 10001:10001
WORKDIR /

FROM runtime AS processor
ARG PROCESSOR
COPY --chmod=0755 deploy/containers/instance /usr/local/bin/instance
COPY --from=build /kontor/bin/${PROCESSOR} /usr/local/bin/processor
LABEL org.opencontainers.image.title="${PROCESSOR}" org.opencontainers.image.description="kontor: a processor of the accounting layer on Kafka"
# Reached by Prometheus and by probes from outside the container, which is a machine of its own.
ENV KONTOR_METRICS_LISTEN=0.0.0.0:9464
EXPOSE 9464
VOLUME ["/var/lib/kontor"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 CMD ["/usr/local/bin/processor", "--health"]
ENTRYPOINT ["/usr/local/bin/instance", "/usr/local/bin/processor"]

FROM runtime AS kontor
USER root
RUN apt-get update && apt-get install -y --no-install-recommends libxml2 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
USER 10001:10001
COPY --chmod=0755 deploy/containers/setup /usr/local/bin/setup
COPY --from=build /kontor/bin/kontor /usr/local/bin/kontor
LABEL org.opencontainers.image.title="kontor" org.opencontainers.image.description="kontor: the command line of the accounting layer on Kafka"
ENTRYPOINT ["/usr/local/bin/kontor"]

FROM kontor AS probe
COPY deploy/probe/sample.json /etc/kontor/probe.json
LABEL org.opencontainers.image.title="kontor-probe" org.opencontainers.image.description="kontor: synthetic events, followed to their acknowledgment"
ENV KONTOR_METRICS_LISTEN=0.0.0.0:9464
EXPOSE 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 CMD ["/usr/local/bin/kontor", "probe", "--health"]
ENTRYPOINT ["/usr/local/bin/kontor", "probe"]
CMD ["/etc/kontor/probe.json"]

FROM kontor AS sample
COPY --chmod=0755 deploy/containers/feed-sample /usr/local/bin/feed-sample
COPY --from=sample-data /kontor/sample /sample
LABEL org.opencontainers.image.title="kontor-sample" org.opencontainers.image.description="kontor: a real purchase-to-pay log and an invented office to feed" \
  org.opencontainers.image.licenses="Apache-2.0 AND CC-BY-4.0"
ENTRYPOINT ["/usr/local/bin/feed-sample"]
