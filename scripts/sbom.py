"""Print what this Python environment and the system below it are made of, as CycloneDX 1.6 (ECMA-424) in JSON.

    python scripts/sbom.py splitdnn-edge 0.15.0 locks      in an image, when it is built: it is /app/sbom.cdx.json there
    make sbom                                             the same about .venv and this machine

Listed are the Python distributions that are installed, each with its licence, and the SHA-256 of the file that it came as where
`locks` has one; Python itself; Debian's packages. Libraries inside a distribution (the FFmpeg of av, oneDNN in openvino)
are not listed one by one. Two runs over the same files print the same. Nothing but the standard library is needed.
"""

from __future__ import annotations

import json
import platform
import re
import sys
import uuid
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

_MAX_LICENCE = 100
"""Characters of a licence's name; what is longer is its text."""
_PROCESSORS = re.compile(r"# What is installed for \w+, for ([\w ]+)\. ")
"""A lock's first line. Where a package has as many files as it names kinds of processors, they are in that order."""
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "splitdnn/sbom")

Component = dict[str, Any]


def normalised(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_hashes(folder: Path) -> dict[tuple[str, str], list[str]]:
    """(name, version) -> SHA-256 of the files that the locks in a folder accept on this kind of processor."""
    found = {}
    for path in sorted(folder.glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        kinds = _PROCESSORS.match(text)
        processors = kinds[1].split(" and ") if kinds else []
        for line in text.splitlines():
            pin, *hashes = line.split(" --hash=sha256:")
            name, _, version = pin.partition(";")[0].partition("==")
            if len(hashes) == len(processors) and platform.machine() in processors:
                hashes = [hashes[processors.index(platform.machine())]]
            if hashes:
                found[normalised(name), version] = hashes
    return found


def licence_of(distribution: Distribution) -> str | None:
    """The SPDX expression of a distribution or, with older metadata, the licence's name. None if it says neither."""
    about = distribution.metadata
    names = [about[field] for field in ("License-Expression", "License") if about[field]]
    names += [
        each.rpartition(" :: ")[2]
        for each in about.get_all("Classifier") or []
        if each.startswith("License :: ")
    ]
    short = [each.strip() for each in names if len(each) <= _MAX_LICENCE and each.isprintable()]
    return short[0] if short else None


def of_python(hashes: dict[tuple[str, str], list[str]]) -> list[Component]:
    """Python and the distributions that it finds; of two with one name, the one that is imported."""
    found: dict[str, Component] = {}
    for each in distributions():
        name, version = normalised(each.metadata["Name"]), each.version
        component = _component(name, version, f"pkg:pypi/{quote(name)}@{quote(version)}")
        licence = licence_of(each)
        if licence and each.metadata["License-Expression"] == licence:
            component["licenses"] = [{"expression": licence}]
        elif licence:
            component["licenses"] = [{"license": {"name": licence}}]
        files = hashes.get((name, version), [])
        if len(files) == 1:  # of several, one cannot know which it was
            component["hashes"] = [{"alg": "SHA-256", "content": files[0]}]
        found.setdefault(name, component)
    version = platform.python_version()
    python = _component("python", version, f"pkg:generic/python@{version}", kind="platform")
    return [python, *(found[name] for name in sorted(found))]


def of_debian(status: Path, release: Path) -> list[Component]:
    """Debian's packages that are installed; none on another system."""
    try:
        stanzas = status.read_text(encoding="utf-8", errors="replace").split("\n\n")
        system = dict(
            line.split("=", 1) for line in release.read_text(encoding="utf-8").splitlines() if "=" in line
        )
    except OSError:
        return []
    distro = f"{system.get('ID', 'debian')}-{system.get('VERSION_ID', '')}".replace('"', "").rstrip("-")
    found = []
    for stanza in stanzas:
        fields = dict(
            re.findall(r"^(Package|Version|Architecture|Status): (.+)$", stanza, flags=re.MULTILINE)
        )
        if fields.get("Status", "").endswith(" installed"):
            name, version, kind = fields["Package"], fields["Version"], fields["Architecture"]
            path = f"{distro.partition('-')[0]}/{quote(name, safe='')}@{quote(version, safe='')}"
            found.append(_component(name, version, f"pkg:deb/{path}?arch={kind}&distro={quote(distro)}"))
    return sorted(found, key=lambda each: str(each["purl"]))


def _component(name: str, version: str, purl: str, kind: str = "library") -> Component:
    return {"type": kind, "name": name, "version": version, "purl": purl, "bom-ref": purl}


def bill(name: str, version: str, components: list[Component]) -> dict[str, Any]:
    """The document about an image or environment of this name."""
    serial = uuid.uuid5(_NAMESPACE, json.dumps([name, version, components], sort_keys=True))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": name, "version": version, "bom-ref": name}},
        "components": components,
    }


def main(arguments: list[str]) -> int:
    if len(arguments) != 3:
        print("sbom: give a name, a version and the folder of the locks", file=sys.stderr)
        return 2
    name, version, locks = arguments
    components = of_python(read_hashes(Path(locks)))
    components += of_debian(Path("/var/lib/dpkg/status"), Path("/etc/os-release"))
    print(json.dumps(bill(name, version, components), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
