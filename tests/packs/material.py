"""Rules, repositories and archives of rules, made for these tests."""

import io
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from uuid import NAMESPACE_DNS, uuid5

DRL = "# Detection Rule License (DRL) 1.1\n\nThe rules are under it; their authors are named.\n"


def rule_id(name: str) -> str:
    """The id of the rule of this name."""
    return str(uuid5(NAMESPACE_DNS, name))


def rule(
    name: str, *, product: str = "aws", service: str = "cloudtrail", level: str = "high", **more: str
) -> str:
    """A whole rule that looks for the call of its name."""
    words = {"status": "stable", "author": "Ada, Grace", **more}
    lines = [f"title: {name}", f"id: {rule_id(name)}", *(f"{key}: {value}" for key, value in words.items())]
    source = (
        f"logsource: {{product: {product}, service: {service}}}"
        if service
        else f"logsource: {{product: {product}}}"
    )
    return "\n".join(
        [
            *lines,
            source,
            f"level: {level}",
            "detection:",
            f"  call: {{eventName: {name}}}",
            "  condition: call",
            "",
        ]
    )


class Repository:
    """A git repository of rules."""

    def __init__(self, folder: Path, files: Mapping[str, str], *, like: "Repository | None" = None) -> None:
        """Of these files, in one commit; or a copy of another, which takes less time."""
        self.folder = folder
        if like is not None:
            shutil.copytree(like.folder, folder, symlinks=True)
            return
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit(files)

    def git(self, *arguments: str) -> str:
        settings = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *settings, *arguments],
            cwd=self.folder,
            env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout.strip()

    def write(self, files: Mapping[str, str]) -> None:
        for path, text in files.items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")

    def commit(self, files: Mapping[str, str] = {}, remove: tuple[str, ...] = ()) -> str:  # only read
        self.write(files)
        for path in remove:
            (self.folder / path).unlink()
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "rules")
        return self.git("rev-parse", "HEAD")


def zipped(file: Path, files: Mapping[str, str]) -> Path:
    """A zip archive."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return file


def tarred(file: Path, files: Mapping[str, str], members: tuple[tarfile.TarInfo, ...] = ()) -> Path:
    """A tar.gz archive; `members` come first and hold nothing."""
    with tarfile.open(file, "w:gz") as archive:
        for member in members:
            archive.addfile(member)
        for path, text in files.items():
            member = tarfile.TarInfo(path)
            data = text.encode()
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file


def held(root: Path) -> dict[str, str]:
    """Every visible file of the packs."""
    folder = root / "packs"
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }
