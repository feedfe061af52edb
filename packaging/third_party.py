"""Print what the bundle holds from others: name, version, licence, as each package declares them."""

from importlib.metadata import Distribution, distributions

TOOLS = {"pip", "setuptools", "pyinstaller-hooks-contrib", "altgraph", "packaging", "fa"}


def licence(package: Distribution) -> str:
    """The licence of a package, from whichever of the three places it is written in."""
    declared = package.metadata.get("License-Expression") or package.metadata.get("License") or ""
    declared = declared.splitlines()[0] if declared and declared != "UNKNOWN" else ""
    classified = [c.split(" :: ")[-1] for c in package.metadata.get_all("Classifier", []) if c.startswith("License ::")]
    return declared or ", ".join(classified) or "see the package"


def main() -> None:
    found = {package.metadata["Name"]: package for package in distributions()}
    for name in sorted(found.keys() - TOOLS, key=str.lower):
        print(f"{name:24} {found[name].version:20} {licence(found[name])}")
    print("ffmpeg (in imageio-ffmpeg)                    GPL-3.0-or-later, see `ffmpeg -L`")
    print("CPython                                       PSF-2.0")


if __name__ == "__main__":
    main()
