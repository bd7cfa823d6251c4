"""Build hook: adapt the README to the page that a package index shows.

On an index, a link relative to the repository leads nowhere. If the repository's address is set
(`repository` in pyproject.toml), links and pictures become absolute. Otherwise, links become plain
text and pictures are left out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from hatchling.metadata.plugin.interface import MetadataHookInterface

CODE_OR_LINK = re.compile(
    r"^```.*?^```$ | `[^`\n]*` | (?P<bang>!?) \[(?P<text>[^\]]*)\] \((?P<target>[^)\s]+)\)",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)


def adapt_links(text: str, repository: str, version: str) -> str:
    """Return Markdown without relative links; code is left as it is."""

    def adapt(match: re.Match[str]) -> str:
        target = match["target"]
        if target is None or re.match(r"[a-z]+:|//", target):
            return match[0]
        if not repository:
            return "" if match["bang"] else match["text"]
        view = "raw" if match["bang"] else "blob"  # GitHub's addresses of a file
        url = urljoin(f"{repository}/{view}/v{version}/README.md", target)
        return f"{match['bang']}[{match['text']}]({url})"

    return CODE_OR_LINK.sub(adapt, text)


class CustomMetadataHook(MetadataHookInterface):
    """Set the long description and the project's URLs."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in the dynamic fields `readme` and `urls`."""
        repository = self.config["repository"].rstrip("/")
        if repository and not repository.startswith("https://"):
            raise ValueError(f"repository must be an https:// address or empty, got {repository!r}")
        version = metadata["version"]
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        text = adapt_links(text, repository, version)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = {}
        if repository:
            metadata["urls"] = {
                "Source": repository,
                "Issues": f"{repository}/issues",
                "Documentation": f"{repository}/tree/v{version}/docs",
                "Changelog": f"{repository}/blob/v{version}/CHANGELOG.md",
            }
