"""What this machine has of all that agentrl can use, what is missing, and how to get it."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agentrl.acting.suite import installed_suites

DISTRIBUTION = "agentrl"
_PROBE_SECONDS = 30.0
_UPDATE_SECONDS = 300.0
_INSTALL_SECONDS = 1800.0
_OLDEST_PYTHON = (3, 11)

_TORCH_PROBE = """
import json, torch
devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
print(json.dumps({"cuda": torch.version.cuda, "devices": devices, "threads": torch.get_num_threads()}))
"""
_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*(?P<bounds>[^;]*)(?:;\s*extra\s*==\s*['\"](?P<extra>[\w-]+))?"
)
_CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class Status(StrEnum):
    """What a check found."""

    OK = "ok"
    OPTIONAL = "optional"  # missing, and only some parts need it
    MISSING = "missing"  # and nothing works without it


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that agentrl can use."""

    name: str
    status: Status
    found: str
    hint: str = ""  # how to get it, and what for
    package: str | None = None  # of Debian and Ubuntu, that brings it


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of running a program."""

    succeeded: bool
    output: str


Run = Callable[[Sequence[str], float], Ran]


def run_doctor(*, console: Console, install: bool = False) -> int:
    """The exit code, after the report has been printed.

    Args:
        console: Where the report goes.
        install: First install the missing system packages, where that is possible.
    """
    checks = diagnose()
    if install:
        checks = install_packages(checks, console=console)
    console.print(render(checks))
    return exit_code(checks)


def exit_code(checks: Sequence[Check]) -> int:
    """1 where something is missing that nothing works without, else 0."""
    return int(any(check.status is Status.MISSING for check in checks))


def diagnose() -> list[Check]:
    """Everything, in the order in which it is worth mending."""
    return [
        _check_python(),
        _check_platform(),
        *_check_extras(),
        _check_accelerator(),
        *check_system(),
        _check_suites(),
    ]


def check_system() -> list[Check]:
    """The programs of the system that tools need."""
    return [_check_chromium(), _check_bubblewrap(), _check_xvfb(), _check_docker()]


def render(checks: Sequence[Check]) -> Table:
    """The checks as a table for a rich console."""
    styles = {Status.OK: "green", Status.OPTIONAL: "yellow", Status.MISSING: "bold red"}
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    table.add_column("what")
    table.add_column("found", overflow="fold")
    table.add_column("how to get it", overflow="fold", min_width=30)  # a pip line
    for check in checks:
        table.add_row(Text(check.status, styles[check.status]), check.name, Text(check.found), Text(check.hint, "dim"))
    return table


def install_packages(
    checks: Sequence[Check], *, console: Console, run: Run | None = None, is_root: bool | None = None
) -> list[Check]:
    """The checks again, after the system packages that were missing have been installed where that is possible.

    Nothing that goes wrong here is an error: it is printed, and shows in the checks.

    Args:
        checks: What was found.
        console: Where progress goes.
        run: Runs programs; None really does.
        is_root: Whether packages can be installed without sudo; None finds out.
    """
    run = run or run_program
    packages = [check.package for check in checks if check.package and check.status is not Status.OK]
    if not packages:
        console.print("No system package is missing.")
        return list(checks)
    prefix = _install_prefix(run, is_root)
    if prefix is None:
        console.print(Text(f"Cannot install here. {_by_hand(packages)}", "yellow"))
        return list(checks)
    _apt(["update"], prefix, run, console, _UPDATE_SECONDS)
    # One at a time: a name that this release does not have must not keep the others out.
    for package in packages:
        _apt(["install", "-y", "--no-install-recommends", package], prefix, run, console, _INSTALL_SECONDS)
    again = {check.name: check for check in check_system()}
    return [again.get(check.name, check) for check in checks]


def run_program(command: Sequence[str], timeout_seconds: float) -> Ran:
    """What came of a program, within a time limit; that it is not there, or hangs, is a failure like others."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=timeout_seconds, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return Ran(False, f"no answer within {timeout_seconds:g} s")
    except OSError as error:
        return Ran(False, str(error))
    succeeded = done.returncode == 0
    # Wrappers such as Debian's chromium also say things on stderr when all is well.
    return Ran(succeeded, (done.stdout if succeeded else done.stdout + done.stderr).strip())


def _apt(arguments: Sequence[str], prefix: Sequence[str], run: Run, console: Console, seconds: float) -> None:
    # `env`, because sudo drops the environment; another apt that is running is waited for.
    command = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=120", *arguments]
    console.print(Text(f"apt-get {' '.join(arguments)} ...", "dim"))
    ran = run(command, seconds)
    if not ran.succeeded:
        console.print(Text(f"  failed: {_last_lines(ran.output)}", "yellow"))


def _install_prefix(run: Run, is_root: bool | None) -> list[str] | None:
    """What to put before apt-get; None where packages cannot be installed."""
    if not shutil.which("apt-get"):
        return None
    if os.geteuid() == 0 if is_root is None else is_root:
        return []
    if shutil.which("sudo") and run(["sudo", "-n", "true"], _PROBE_SECONDS).succeeded:
        return ["sudo", "-n"]
    return None


def _by_hand(packages: Sequence[str]) -> str:
    names = " ".join(packages)
    if shutil.which("apt-get"):
        return f"As root: apt-get update && apt-get install -y --no-install-recommends {names}"
    if shutil.which("dnf"):
        return f"As root: dnf install {names.replace('xvfb', 'xorg-x11-server-Xvfb')}"
    if shutil.which("pacman"):
        return f"As root: pacman -S {names.replace('xvfb', 'xorg-server-xvfb')}"
    if shutil.which("brew"):
        return "brew install --cask chromium; bubblewrap and Xvfb are for Linux: use Docker there."
    return f"Install with your system's package manager: {names}"


def _check_python() -> Check:
    is_new_enough = sys.version_info[:2] >= _OLDEST_PYTHON
    return Check(
        name="Python",
        status=Status.OK if is_new_enough else Status.MISSING,
        found=f"{platform.python_version()}, {sys.executable}",
        hint="" if is_new_enough else f"agentrl needs {'.'.join(map(str, _OLDEST_PYTHON))} or newer",
    )


def _check_platform() -> Check:
    try:
        system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        system = platform.platform()
    found = f"{system}, {platform.machine()}, {os.cpu_count()} CPUs"
    return Check(name="system", status=Status.OK, found=found)


def _requirements() -> dict[str, list[tuple[str, str]]]:
    """Package and version bounds of everything that each extra brings; "" is what is always installed."""
    by_extra: dict[str, list[tuple[str, str]]] = {}
    for requirement in requires(DISTRIBUTION) or []:
        match = _REQUIREMENT.match(requirement)
        if match and match["name"] != DISTRIBUTION:
            by_extra.setdefault(match["extra"] or "", []).append((match["name"], match["bounds"].strip()))
    by_extra.pop("all", None)  # says nothing that the others do not
    return by_extra


def install_line(package: str) -> str | None:
    """How to install the extra that brings a package; None where no extra does."""
    for extra, packages in _requirements().items():
        if extra and any(name == package for name, _ in packages):
            return f"pip install '{DISTRIBUTION}[{extra}]'"
    return None


def _check_extras() -> list[Check]:
    """The distribution and each of its extras: which of the packages are there, and in versions that do."""
    by_extra = _requirements()
    core = _check_packages("agentrl", by_extra.pop("", []), Status.MISSING, f"pip install --upgrade {DISTRIBUTION}")
    found = f"{version(DISTRIBUTION)}; {core.found}"
    checks = [Check(name=core.name, status=core.status, found=found, hint=core.hint)]
    for extra, packages in by_extra.items():
        hint = f"pip install '{DISTRIBUTION}[{extra}]'"
        checks.append(_check_packages(f"extra {extra}", packages, Status.OPTIONAL, hint))
    return checks


def _check_packages(name: str, requirements: Sequence[tuple[str, str]], if_missing: Status, hint: str) -> Check:
    found: list[str] = []
    is_complete = True
    for package, bounds in requirements:
        try:
            installed = version(package)
        except PackageNotFoundError:
            found.append(f"no {package}")
            is_complete = False
            continue
        does = satisfies(installed, bounds)
        found.append(f"{package} {installed}" + ("" if does else f" (needs {bounds})"))
        is_complete = is_complete and does
    status = Status.OK if is_complete else if_missing
    return Check(name=name, status=status, found=", ".join(found), hint="" if is_complete else hint)


def satisfies(installed: str, bounds: str) -> bool:
    """Whether a release is within bounds such as ">=2.11,<2.14"; only these two comparisons are looked at."""
    release = _release(installed)
    for bound in bounds.split(","):
        bound = bound.strip()
        if bound.startswith(">=") and release < _release(bound[2:]):
            return False
        if bound.startswith("<") and not bound.startswith("<=") and release >= _release(bound[1:]):
            return False
    return True


def _release(text: str) -> tuple[int, ...]:
    """The numbers of a version, without zeros at its end: 2.13.0+cpu is (2, 13)."""
    match = re.match(r"\s*(\d+(?:\.\d+)*)", text)
    numbers = [int(part) for part in match[1].split(".")] if match else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _check_accelerator() -> Check:
    """The GPUs that torch sees; torch is asked in a process of its own, which a broken driver may bring down."""
    try:
        torch_version = version("torch")
    except PackageNotFoundError:
        return Check(name="GPU", status=Status.OPTIONAL, found="no torch to ask", hint="comes with the extra train")
    ran = run_program([sys.executable, "-c", _TORCH_PROBE], 2 * _PROBE_SECONDS)
    lines = ran.output.splitlines()
    if not ran.succeeded or not lines or not lines[-1].startswith("{"):
        found = f"torch {torch_version} cannot be imported: {_last_lines(ran.output)}"
        return Check(name="GPU", status=Status.OPTIONAL, found=found, hint="install the extra train again")
    facts: Mapping[str, object] = json.loads(lines[-1])
    devices = facts["devices"]
    if isinstance(devices, list) and devices:
        return Check(name="GPU", status=Status.OK, found=f"CUDA {facts['cuda']}: {', '.join(map(str, devices))}")
    found = f"none; torch {torch_version} runs on the CPU with {facts['threads']} threads"
    if shutil.which("nvidia-smi") and facts["cuda"] is None:
        return Check(
            name="GPU", status=Status.OPTIONAL, found=found, hint="this torch is built without CUDA: pytorch.org"
        )
    return Check(name="GPU", status=Status.OPTIONAL, found=found, hint="tiny models train on a CPU; others want one")


def find_chromium() -> str | None:
    """The Chromium to use: what CHROMIUM_PATH says, else the first that is installed."""
    chosen = os.environ.get("CHROMIUM_PATH")
    if chosen:
        return chosen
    return next((path for name in _CHROMIUM_NAMES if (path := shutil.which(name))), None)


def _check_chromium() -> Check:
    path = find_chromium()
    hint = "the browser tool; Debian: chromium; else `playwright install chromium` and CHROMIUM_PATH"
    if path is None:
        return Check(name="Chromium", status=Status.OPTIONAL, found="no", hint=hint, package="chromium")
    ran = run_program([path, "--version"], _PROBE_SECONDS)
    if not ran.succeeded:
        found = f"{path} does not run: {_last_lines(ran.output)}"
        return Check(name="Chromium", status=Status.OPTIONAL, found=found, hint=hint, package="chromium")
    return Check(name="Chromium", status=Status.OK, found=f"{_last_lines(ran.output, 1)}, {path}")


def _check_bubblewrap() -> Check:
    """bubblewrap, and whether the kernel lets it make namespaces: containers and newer Ubuntus often do not."""
    name = "bubblewrap"
    path = shutil.which("bwrap")
    if path is None:
        hint = "the sandbox tool; Debian: bubblewrap"
        return Check(name=name, status=Status.OPTIONAL, found="no", hint=hint, package="bubblewrap")
    probe = run_program([path, "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "true"], _PROBE_SECONDS)
    release = _last_lines(run_program([path, "--version"], _PROBE_SECONDS).output, 1)
    if probe.succeeded:
        return Check(name=name, status=Status.OK, found=f"{release}, makes user namespaces")
    found = f"{release}, but it may make no user namespaces: {_last_lines(probe.output)}"
    return Check(name=name, status=Status.OPTIONAL, found=found, hint=_namespace_hint())


def _namespace_hint() -> str:
    """What to do where namespaces are forbidden, by who forbids them."""
    switch = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    if switch.is_file() and switch.read_text().strip() == "1":
        return "AppArmor forbids it: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or a profile for bwrap"
    return "in a container: --security-opt seccomp=unconfined, or use the docker sandbox"


def _check_xvfb() -> Check:
    path = shutil.which("Xvfb")
    if path is None:
        hint = "the desktop tool; Debian: xvfb"
        return Check(name="Xvfb", status=Status.OPTIONAL, found="no", hint=hint, package="xvfb")
    return Check(name="Xvfb", status=Status.OK, found=path)


def _check_docker() -> Check:
    """A Docker engine that answers: the client alone is of no use."""
    hint = "the docker sandbox; start the engine, and be allowed to use it"
    if not shutil.which("docker"):
        return Check(
            name="Docker", status=Status.OPTIONAL, found="no", hint="the docker sandbox; docs.docker.com/engine"
        )
    ran = run_program(["docker", "version", "--format", "{{.Server.Version}}"], _PROBE_SECONDS)
    if ran.succeeded:
        return Check(name="Docker", status=Status.OK, found=f"engine {_last_lines(ran.output, 1)}")
    return Check(name="Docker", status=Status.OPTIONAL, found=_last_lines(ran.output), hint=hint)


def _check_suites() -> Check:
    names = ", ".join(installed_suites())
    hint = "" if names else f"install {DISTRIBUTION} again: its entry points are not registered"
    return Check(name="environments", status=Status.OK if names else Status.OPTIONAL, found=names or "none", hint=hint)


def _last_lines(output: str, count: int = 2) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return " / ".join(lines[-count:]) or "no output"
