"""The generated parts of the documentation are those of the code."""

from pathlib import Path

import pytest

from tests.generated.documents import documents, with_table

DOCUMENTS = documents()


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: f"{file.parent.name}-{file.name}")
def test_a_document_is_up_to_date(file: Path) -> None:
    assert file.read_text("utf-8") == DOCUMENTS[file], "run `make rendered`"


def test_a_changed_row_is_replaced() -> None:
    assert with_table("a\n| x |\n|---|\n| 1 |\nb", "| x |\n|---|\n| 2 |") == (
        "a\n| x |\n|---|\n| 2 |\nb"
    )
