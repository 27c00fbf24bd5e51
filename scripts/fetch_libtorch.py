#!/usr/bin/env python3
"""Puts LibTorch for the CPU into a folder: headers and the few libraries that eddy links, nothing of CUDA's 3 GB.

The libraries come from Python wheels, fetched through pip and its configuration (index, proxy, certificates) for an
explicit Python version and platform, so any Python 3.8 or later serves. Every wheel is checked against its SHA-256.
A finished wheel is kept until all are unpacked, and a broken download goes on where it stopped; the folder appears
under its name only when it is complete.

Usage: fetch_libtorch.py FOLDER
"""

import hashlib
import json
import os
import platform
import shutil
import ssl
import subprocess
import sys
import urllib.request
import zipfile

VERSION = "2.13.0"
LINUX_TAGS = ["manylinux_2_28", "manylinux_2_27", "manylinux_2_25", "manylinux_2_17", "manylinux2014"]

# System -> (platform tags, {requirement: (sha256, libraries wanted)})
LINUX_X86_64 = (
    [f"{tag}_x86_64" for tag in LINUX_TAGS],
    {
        f"torch=={VERSION}": (
            "796633c4cdf0fe2cdced72d8f88f22e73dbcfce83132763162f6d4bff13b820b",
            ["libtorch_cpu.so", "libc10.so", "libgomp.so.1"],
        ),
        # libtorch_cpu.so names these two; nothing of them runs without a GPU.
        "nvidia-cuda-runtime==13.0.96": (
            "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
            ["libcudart.so.13"],
        ),
        "nvidia-cuda-cupti==13.0.85": (
            "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
            ["libcupti.so.13"],
        ),
    },
)
# Written from the wheel's layout; nobody has run it yet.
MACOS_ARM64 = (
    ["macosx_14_0_arm64"],
    {
        f"torch=={VERSION}": (
            "2fe228aba290d14b9f31b049be550dbd469c3fd3013d7a19705b30454da97027",
            ["libtorch.dylib", "libtorch_cpu.dylib", "libc10.dylib", "libomp.dylib"],
        ),
    },
)


class Failure(Exception):
    """What went wrong, and the way out, in one message."""


def wanted():
    system = (platform.system(), platform.machine())
    if system == ("Linux", "x86_64"):
        return LINUX_X86_64
    if system == ("Darwin", "arm64"):
        return MACOS_ARM64
    raise Failure(
        f"no LibTorch is known for {system[0]} {system[1]}: install LibTorch {VERSION} yourself and set LIBTORCH to its "
        f"folder, or `pip install torch=={VERSION}` and set LIBTORCH_USE_PYTORCH=1"
    )


def pip(arguments, tags):
    flags = ["--no-deps", "--only-binary=:all:", "--python-version", "3.12", "--implementation", "cp"]
    flags += [part for abi in ("cp312", "abi3", "none") for part in ("--abi", abi)]
    flags += [part for tag in tags for part in ("--platform", tag)]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments, *flags]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def locate(requirement, tags, folder):
    """The wheel's address by pip's own resolution, or None where this pip cannot tell (before 22.2)."""
    report = pip(
        ["install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-", "--target", folder, requirement], tags
    )
    try:
        return json.loads(report.stdout)["install"][0]["download_info"]["url"]
    except (ValueError, LookupError):
        return None


def certificates():
    """The certificates that pip is set to trust, else the system's."""
    setting = subprocess.run([sys.executable, "-m", "pip", "config", "get", "global.cert"], capture_output=True, text=True)
    named = os.environ.get("PIP_CERT") or setting.stdout.strip()
    return ssl.create_default_context(cafile=named if named and os.path.isfile(named) else None)


def digest(path):
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            sha.update(piece)
    return sha.hexdigest()


def resume(url, path):
    """Fetches what `path` lacks of `url`."""
    have = os.path.getsize(path) if os.path.exists(path) else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, context=certificates(), timeout=60) as answer:
        mode = "ab" if have and answer.status == 206 else "wb"
        total = int(answer.headers.get("Content-Length", 0)) + (have if mode == "ab" else 0)
        done = have if mode == "ab" else 0
        shown = -1
        with open(path, mode) as file:
            for piece in iter(lambda: answer.read(1 << 20), b""):
                file.write(piece)
                done += len(piece)
                percent = 100 * done // total if total else 0
                if sys.stderr.isatty() and percent != shown:
                    shown = percent
                    print(f"\r  {percent:3d} % of {total >> 20} MB", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print(file=sys.stderr)


def fetch(requirement, sha, tags, wheels):
    """The wheel's path, downloaded and checked."""
    name = requirement.split("==")[0]
    whole, part = os.path.join(wheels, f"{name}.whl"), os.path.join(wheels, f"{name}.part")
    if os.path.exists(whole):
        return whole
    print(f"fetching {requirement}", file=sys.stderr)
    url = locate(requirement, tags, wheels)
    try:
        if url:
            resume(url, part)
    except OSError as error:
        if getattr(error, "errno", None) == 28:
            raise
        print(f"  {error}; trying pip", file=sys.stderr)
        url = None
    if not url:
        download_with_pip(requirement, tags, wheels, part)
    if digest(part) != sha:
        os.remove(part)
        raise Failure(f"{requirement}: the file fetched is not the one expected (SHA-256 differs): run again")
    os.replace(part, whole)
    return whole


def download_with_pip(requirement, tags, wheels, part):
    folder = os.path.join(wheels, "pip")
    shutil.rmtree(folder, ignore_errors=True)
    answer = pip(["download", "--quiet", "--dest", folder, requirement], tags)
    if answer.returncode != 0:
        reason = answer.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise Failure(f"{requirement} could not be fetched: {reason[0]}\nIs there a network? Then run again.")
    os.replace(os.path.join(folder, os.listdir(folder)[0]), part)


def unpack(wheel, libraries, folder):
    missing = set(libraries)
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            name = os.path.basename(member)
            if member.startswith("torch/include/") and name:
                target = os.path.join(folder, member[len("torch/") :])
            elif name in missing and "/lib/" in member:
                target = os.path.join(folder, "lib", name)
                missing.discard(name)
            else:
                continue
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with archive.open(member) as source, open(target, "wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
    if missing:
        raise Failure(f"{os.path.basename(wheel)} holds no {', '.join(sorted(missing))}")


def main(folder):
    tags, wheels_wanted = wanted()
    work = folder + ".partial"
    wheels, tree = os.path.join(work, "wheels"), os.path.join(work, "tree")
    os.makedirs(wheels, exist_ok=True)
    found = {}
    for requirement, (sha, _) in wheels_wanted.items():
        found[requirement] = fetch(requirement, sha, tags, wheels)
    print("unpacking", file=sys.stderr)
    shutil.rmtree(tree, ignore_errors=True)
    for requirement, (_, libraries) in wheels_wanted.items():
        unpack(found[requirement], libraries, tree)
    if platform.system() == "Linux":
        # In place of the stub that would pull in CUDA.
        with open(os.path.join(tree, "lib", "libtorch.so"), "w") as script:
            script.write("INPUT(libtorch_cpu.so)\n")
    with open(os.path.join(tree, "build-version"), "w") as version:
        version.write(VERSION + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(tree, folder)
    shutil.rmtree(work)


if __name__ == "__main__":
    try:
        main(os.path.abspath(sys.argv[1]))
    except IndexError:
        sys.exit(__doc__)
    except (Failure, OSError, zipfile.BadZipFile) as error:
        sys.exit(f"LibTorch: {error}")
