"""Write the CustomResourceDefinitions: ``python -m driftloop.resources FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

from driftloop.resources import definitions, documents

folder = Path(sys.argv[1])
for resource in definitions.RESOURCES:
    text = documents.dump([definitions.definition(resource)])
    (folder / f"{resource.plural}.yaml").write_text(text, encoding="utf-8")
