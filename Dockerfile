# The images, built from the root of the repository: docker build --target cloud .   docker build --target edge .
#
#   base ─┬─ cloud, edge             run networks as data: no torch
#         └─ torch ─┬─ bundle        makes networks into data
#                   └─ cloud-torch   the cloud with torch as its engine, for GPUs
#
# What two images need is installed once, in a stage that both are built from, and stored once, as layers that they share.

# What is installed stands in locks/, with the SHA-256 of each file, made of pyproject.toml's pins by scripts/lock.py. A step sees
# only the lock it needs: a new version of aiohttp does not reinstall torch. torch's own pins are taken from pyproject.toml by this
# stage, so that a new setting for a linter reinstalls nothing: its builds come from an index of their own, without a lock.
FROM python:3.11-slim-bookworm AS pins
WORKDIR /pins/torch/scripts
COPY scripts/install_torch.py .
WORKDIR /pins
COPY pyproject.toml .
RUN python <<'END_OF_PROGRAM'
import json
import pathlib
import tomllib

project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]
extras = project["optional-dependencies"]
pins = f"[project.optional-dependencies]\ntorch = {json.dumps(extras['torch'])}\n"
pathlib.Path("torch/pyproject.toml").write_text(pins)
pathlib.Path("torch.txt").write_text("\n".join(extras["torch"]) + "\n")
END_OF_PROGRAM

# What installs and what strips packages is mounted while it is needed, so that it is in no image.
FROM python:3.11-slim-bookworm AS tools
RUN apt-get update -qq && apt-get install -qq --no-install-recommends binutils >/dev/null
WORKDIR /tools
RUN cat >with-pip <<'END_OF_SCRIPT'
PYTHONPATH=/mnt/tools/usr/local/lib/python3.11/site-packages exec python "$@"
END_OF_SCRIPT
RUN cat >slim <<'END_OF_SCRIPT'
# Take from the installed packages what nothing here runs: tests, headers, type stubs, debugging information (only where
# no installer has edited the file, as strip damages those), and formats and devices that are not served.
set -eu
cd /usr/local/lib/python3.11/site-packages
rm -rf openvino/cmake openvino/include openvino/torch openvino/libs/cache.json openvino/libs/*_gpu_plugin* openvino/libs/*_npu_* \
    openvino/libs/*_auto_* openvino/libs/*_hetero_* openvino/libs/libopenvino_c.so* openvino/libs/*_gguf_* \
    openvino_telemetry* zstandard/_cffi.* zstandard/backend_cffi.py numpy/distutils numpy/f2py \
    PIL/_avif.* PIL/_imagingft.* PIL/_imagingcms.* pillow.libs/libavif-* pillow.libs/libfreetype-* pillow.libs/libharfbuzz-* \
    pillow.libs/liblcms2-*
for package in numpy tornado pydantic; do
    [ ! -d "$package" ] || find "$package" -depth -type d \( -name tests -o -name test -o -name include -o -name v1 \) -exec rm -rf {} +
done
find . \( -name '*.pyi' -o -name '*.a' \) -delete
export LD_LIBRARY_PATH="/mnt/tools/usr/lib/$(uname -m)-linux-gnu"
for package in zstandard aiohttp frozenlist multidict propcache yarl; do
    [ ! -d "$package" ] || find "$package" -name '*.so' -exec /mnt/tools/usr/bin/strip --strip-debug {} +
done
[ ! -d av ] || find av -name '*.so' -exec /mnt/tools/usr/bin/strip --strip-unneeded {} + # these are whole afterwards: 25 MB
END_OF_SCRIPT

# OpenVINO's readers of other formats, which only the making of bundles needs.
FROM python:3.11-slim-bookworm AS frontends
ARG PIP_CACHE_DIR=/var/cache/pip PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN --mount=type=cache,target=/var/cache/pip \
    --mount=type=bind,source=locks/base.txt,target=/mnt/base.txt \
    grep '^openvino=' /mnt/base.txt >/tmp/openvino.txt \
    && python -m pip install --no-deps --require-hashes --target /tmp/packages --requirement /tmp/openvino.txt \
    && cd /tmp/packages/openvino \
    && install --directory /frontends/libs \
    && mv frontend tools /frontends \
    && mv libs/*_frontend.so* /frontends/libs

# Pillow's reader of AVIF, which only the edge needs: it reads pictures from files.
FROM python:3.11-slim-bookworm AS avif
ARG PIP_CACHE_DIR=/var/cache/pip PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN --mount=type=cache,target=/var/cache/pip \
    --mount=type=bind,source=locks/base.txt,target=/mnt/base.txt \
    grep '^pillow=' /mnt/base.txt >/tmp/pillow.txt \
    && python -m pip install --no-deps --require-hashes --target /tmp/packages --requirement /tmp/pillow.txt \
    && cd /tmp/packages \
    && install --directory /avif/PIL /avif/pillow.libs \
    && mv PIL/_avif.* /avif/PIL \
    && mv pillow.libs/libavif-* /avif/pillow.libs

FROM python:3.11-slim-bookworm AS uninstalled
RUN python -m pip uninstall --quiet --yes --root-user-action ignore wheel setuptools pip \
    && cd "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
    && rm -rf ensurepip idlelib lib2to3 pydoc_data test tkinter turtledemo /usr/share/python-wheels /var/cache/* /var/log/*

# ----------------------------------------------------------------------------------------- what every image needs
FROM scratch AS base
COPY --from=uninstalled / /
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8
ARG PIP_CACHE_DIR=/var/cache/pip PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

# tornado and PyAV, all that the cloud needs besides, serve the edge too. Of OpenVINO's readers its own format's stays.
RUN --mount=type=cache,target=/var/cache/pip \
    --mount=type=bind,from=tools,target=/mnt/tools \
    --mount=type=bind,source=locks/base.txt,target=/mnt/base.txt \
    --mount=type=bind,source=locks/cloud.txt,target=/mnt/cloud.txt \
    sh /mnt/tools/tools/with-pip -m pip install --no-deps --require-hashes \
        --requirement /mnt/base.txt --requirement /mnt/cloud.txt \
    && sh /mnt/tools/tools/slim \
    && cd /usr/local/lib/python3.11/site-packages/openvino \
    && rm -rf tools frontend/*/ \
    && find libs -name '*_frontend.so*' ! -name '*_ir_*' -delete \
    && python -c 'import av, av.filter, numpy, openvino, zstandard; assert "CPU" in openvino.Core().available_devices'

# An unprivileged user, with the folders that volumes take their owner from. The user has a line in /etc/passwd because
# torch looks its name up.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin splitdnn \
    && install --directory --owner=10001 --group=10001 /bundles /cache /results /weights/cache /tls /tls/cloud /tls/edge /tls/prometheus \
    && install --directory /media /weights/local

# HOME: where libraries keep what they make, on a root file system that is read-only.
# SPLITDNN_ADDRESS: a container is reached from outside itself, with or without Compose.
ENV HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    SPLITDNN_ADDRESS=0.0.0.0 \
    SPLITDNN_STATUS_ADDRESS=0.0.0.0
WORKDIR /app

# `splitdnn` is in every image for packages that bring codecs or sources of their own: they import it.

# --------------------------------------------------------------------------------------------------- the cloud
FROM base AS cloud
COPY splitdnn splitdnn
COPY shared shared
COPY cloud cloud
# Compiled here, as a container can write nothing beside its code; readable whatever umask the checkout was made with.
RUN chmod -R a+rX . && python -m compileall -q --invalidation-mode unchecked-hash .
ARG VERSION=0.15.0
RUN --mount=type=bind,source=scripts/sbom.py,target=/mnt/sbom.py \
    --mount=type=bind,source=locks,target=/mnt/locks \
    python /mnt/sbom.py splitdnn-cloud "$VERSION" /mnt/locks >sbom.cdx.json
USER 10001:10001
EXPOSE 8881
LABEL org.opencontainers.image.title="SplitDNN cloud" \
      org.opencontainers.image.description="Runs the tail of a neural network whose head runs at the edge" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
CMD ["python", "-m", "cloud"]

# ---------------------------------------------------------------------------------------------------- the edge
FROM base AS edge
RUN --mount=type=cache,target=/var/cache/pip \
    --mount=type=bind,from=tools,target=/mnt/tools \
    --mount=type=bind,source=locks/edge.txt,target=/mnt/edge.txt \
    sh /mnt/tools/tools/with-pip -m pip install --no-deps --require-hashes --requirement /mnt/edge.txt \
    && sh /mnt/tools/tools/slim
COPY --from=avif /avif /usr/local/lib/python3.11/site-packages
RUN python -c 'import av, av.filter, cv2; from PIL import features; assert features.check("avif")'
COPY splitdnn splitdnn
COPY shared shared
COPY edge edge
RUN chmod -R a+rX . && python -m compileall -q --invalidation-mode unchecked-hash .
ARG VERSION=0.15.0
RUN --mount=type=bind,source=scripts/sbom.py,target=/mnt/sbom.py \
    --mount=type=bind,source=locks,target=/mnt/locks \
    python /mnt/sbom.py splitdnn-edge "$VERSION" /mnt/locks >sbom.cdx.json
USER 10001:10001
EXPOSE 8882
LABEL org.opencontainers.image.title="SplitDNN edge" \
      org.opencontainers.image.description="Runs the head of a neural network whose tail runs in the cloud" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
CMD ["python", "-m", "edge"]

# ------------------------------------------------------------------------------------------ what torch is needed for
FROM base AS torch
# compose.gpu.yaml gives an index of CUDA builds, and TORCH_CUDA=1.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG TORCH_CUDA=

# torch without what only its own developers and compilers of extensions use: 200 MB. One program of bin/ is needed.
RUN --mount=type=cache,target=/var/cache/pip \
    --mount=type=bind,from=tools,target=/mnt/tools \
    --mount=type=bind,from=pins,source=/pins/torch,target=/mnt/pins \
    sh /mnt/tools/tools/with-pip /mnt/pins/scripts/install_torch.py --index "$TORCH_INDEX" ${TORCH_CUDA:+--cuda} \
    && cd "$(python -c 'import sysconfig; print(sysconfig.get_path("platlib"))')/torch" \
    && rm -rf include share test \
    && find bin -mindepth 1 ! -name torch_shm_manager -delete

# What torch needs; a CUDA build brings libraries of its own besides, which no lock lists. The build fails if a CPU image holds CUDA
# or the reverse.
RUN --mount=type=cache,target=/var/cache/pip \
    --mount=type=bind,from=tools,target=/mnt/tools \
    --mount=type=bind,source=locks/torch.txt,target=/mnt/torch.txt \
    --mount=type=bind,from=pins,source=/pins/torch.txt,target=/mnt/cuda.txt \
    sh /mnt/tools/tools/with-pip -m pip install --no-deps --require-hashes --requirement /mnt/torch.txt \
    && if [ -n "$TORCH_CUDA" ]; then sh /mnt/tools/tools/with-pip -m pip install --requirement /mnt/cuda.txt; fi \
    && TORCH_CUDA="$TORCH_CUDA" python -c \
    'import os, torch; assert bool(torch.version.cuda) == bool(os.environ["TORCH_CUDA"]), torch.version.cuda'
# Where fetched weights are kept, torchvision's and timm's.
ENV HF_HOME=/weights/cache/huggingface \
    TORCH_HOME=/weights/cache
COPY --from=frontends /frontends /usr/local/lib/python3.11/site-packages/openvino
RUN python -c 'from openvino import convert_model; from openvino.frontend.pytorch import patch_model'

# ------------------------------------------------------------------------------------------------ making bundles
FROM torch AS bundle
COPY splitdnn splitdnn
COPY shared shared
RUN chmod -R a+rX . && python -m compileall -q --invalidation-mode unchecked-hash .
ARG VERSION=0.15.0
RUN --mount=type=bind,source=scripts/sbom.py,target=/mnt/sbom.py \
    --mount=type=bind,source=locks,target=/mnt/locks \
    python /mnt/sbom.py splitdnn-bundle "$VERSION" /mnt/locks >sbom.cdx.json
USER 10001:10001
LABEL org.opencontainers.image.title="SplitDNN bundle" \
      org.opencontainers.image.description="Makes a neural network into a bundle, which edge and cloud run" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
CMD ["python", "-m", "splitdnn", "prepare"]

# ------------------------------------------------------------------------------------------- the cloud on a GPU
FROM torch AS cloud-torch
COPY splitdnn splitdnn
COPY shared shared
COPY cloud cloud
RUN chmod -R a+rX . && python -m compileall -q --invalidation-mode unchecked-hash .
ARG VERSION=0.15.0
RUN --mount=type=bind,source=scripts/sbom.py,target=/mnt/sbom.py \
    --mount=type=bind,source=locks,target=/mnt/locks \
    python /mnt/sbom.py splitdnn-cloud-torch "$VERSION" /mnt/locks >sbom.cdx.json
USER 10001:10001
EXPOSE 8881
LABEL org.opencontainers.image.title="SplitDNN cloud with torch" \
      org.opencontainers.image.description="Runs the tail of a neural network whose head runs at the edge" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
CMD ["python", "-m", "cloud"]
