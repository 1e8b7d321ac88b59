# Both images, built from the root of the repository: docker build --target cloud .   docker build --target edge .
#
# torch and its companions are installed once, in `base`, and stored once, as layers that both images share.

# Versions are written once, in pyproject.toml. This stage sorts them into files, and a later step sees only the file
# it needs: a new setting for a linter reinstalls nothing, and a new version of aiohttp does not reinstall torch.
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
base = project["dependencies"]
torch = [pin for pin in base if pin.startswith("torch")]
pathlib.Path("torch/pyproject.toml").write_text(f"[project]\ndependencies = {json.dumps(torch)}\n")
pathlib.Path("base.txt").write_text("\n".join(base))
for extra, pins in project["optional-dependencies"].items():
    pathlib.Path(f"{extra}.txt").write_text("\n".join(pins))
END_OF_PROGRAM

FROM python:3.11-slim-bookworm AS base
ARG PIP_CACHE_DIR=/var/cache/pip PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# compose.gpu.yaml gives an index of CUDA builds, and TORCH_CUDA=1.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG TORCH_CUDA=

# torch without what only its own developers and compilers of extensions use: 200 MB. One program of bin/ is needed.
RUN --mount=type=cache,target=/var/cache/pip \
    --mount=type=bind,from=pins,source=/pins/torch,target=/mnt/pins \
    python /mnt/pins/scripts/install_torch.py --index "$TORCH_INDEX" ${TORCH_CUDA:+--cuda} \
    && cd "$(python -c 'import sysconfig; print(sysconfig.get_path("platlib"))')/torch" \
    && rm -rf include share test \
    && find bin -mindepth 1 ! -name torch_shm_manager -delete

# The remaining packages, and only the CPU parts of OpenVINO. The build fails if a CPU image holds CUDA or the reverse.
RUN --mount=type=cache,target=/var/cache/pip \
    --mount=type=bind,from=pins,source=/pins/base.txt,target=/mnt/base.txt \
    python -m pip install --requirement /mnt/base.txt \
    && (cd "$(python -c 'import sysconfig; print(sysconfig.get_path("platlib"))')/openvino" \
    && rm -rf libs/cache.json libs/*_gpu_plugin* libs/*_npu_* libs/*_tensorflow* libs/*_paddle_* libs/*_gguf_* libs/*_jax_* include cmake) \
    && TORCH_CUDA="$TORCH_CUDA" python -c \
    'import os, torch; assert bool(torch.version.cuda) == bool(os.environ["TORCH_CUDA"]), torch.version.cuda'

# An unprivileged user, with the folders that volumes take their owner from. The user has a line in /etc/passwd because
# torch looks its name up.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin splitdnn \
    && install --directory --owner=10001 --group=10001 /cache /results /weights/cache \
    && install --directory /media /weights/local

# HOME and TORCH_HOME: where libraries keep what they make, on a root file system that is read-only.
# SPLITDNN_ADDRESS: a container is reached from outside itself, with or without Compose.
ENV HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    SPLITDNN_ADDRESS=0.0.0.0 \
    SPLITDNN_STATUS_ADDRESS=0.0.0.0 \
    TORCH_HOME=/weights/cache
WORKDIR /app

# `splitdnn` is in both images for packages that bring codecs or sources of their own: they import it.

# ------------------------------------------------------------------------------------------------------- the cloud
FROM base AS cloud
COPY splitdnn splitdnn
COPY shared shared
COPY cloud cloud
# Compiled here, as a container can write nothing beside its code; readable whatever umask the checkout was made with.
RUN chmod -R a+rX . && python -m compileall -q --invalidation-mode unchecked-hash .
USER 10001:10001
EXPOSE 8881
ARG VERSION=0.5.0
LABEL org.opencontainers.image.title="SplitDNN cloud" \
      org.opencontainers.image.description="Runs the tail of a neural network whose head runs at the edge" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
CMD ["python", "-m", "cloud"]

# -------------------------------------------------------------------------------------------------------- the edge
FROM base AS edge
RUN --mount=type=cache,target=/var/cache/pip \
    --mount=type=bind,from=pins,source=/pins/edge.txt,target=/mnt/edge.txt \
    python -m pip install --requirement /mnt/edge.txt
COPY splitdnn splitdnn
COPY shared shared
COPY edge edge
RUN chmod -R a+rX . && python -m compileall -q --invalidation-mode unchecked-hash .
USER 10001:10001
EXPOSE 8882
ARG VERSION=0.5.0
LABEL org.opencontainers.image.title="SplitDNN edge" \
      org.opencontainers.image.description="Runs the head of a neural network whose tail runs in the cloud" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
CMD ["python", "-m", "edge"]
