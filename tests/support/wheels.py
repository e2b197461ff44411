"""Packages made on the spot, and locks that name them by hash: an index that lies in a folder."""

import base64
import hashlib
import zipfile
from pathlib import Path


def wheel(folder: Path, name: str, code: str, *, version: str = "1.0") -> str:
    """Put a wheel of one module into `folder`; the line of a lock that asks for exactly it."""
    about = f"{name}-{version}.dist-info"
    contents = {
        f"{name}.py": code,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {each: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
               for each, text in contents.items()}  # fmt: skip
    rows = [f"{each},sha256={digest},{len(contents[each])}" for each, digest in digests.items()]
    contents[f"{about}/RECORD"] = "\n".join([*rows, f"{about}/RECORD,,"]) + "\n"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as made:
        for each, text in contents.items():
            made.writestr(zipfile.ZipInfo(each), text)
    return f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"
