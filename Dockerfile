# zoo in a container: `docker build --target cpu -t zoo:cpu .`, or `--target gpu -t zoo:gpu`.
# The commands that install are those of README.md and Makefile (a test compares them).
FROM python:3.12 AS base
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN useradd --create-home --uid 1000 zoo
WORKDIR /zoo
COPY requirements requirements

FROM base AS cpu-packages
RUN pip install --no-deps torch==2.13.0+cpu --index-url https://download.pytorch.org/whl/cpu
RUN pip install --no-deps -r requirements/cpu.txt -r requirements/dev.txt

FROM cpu-packages AS cpu
COPY pyproject.toml README.md LICENSE ./
COPY zoo zoo
RUN pip install --no-deps --no-build-isolation -e .
COPY experiments experiments
WORKDIR /study
RUN chown zoo:zoo /study
USER zoo
ENTRYPOINT ["zoo"]
CMD ["--help"]

FROM base AS gpu
COPY pyproject.toml README.md LICENSE ./
COPY zoo zoo
RUN pip install -c requirements/gpu.txt -e ".[gpu,dev]"
RUN pip install -c requirements/gpu.txt "ray[default]"
COPY experiments experiments
WORKDIR /study
RUN chown zoo:zoo /study
USER zoo
ENTRYPOINT ["zoo"]
CMD ["--help"]
