"""`make rendered`: write the generated parts of the documentation into their files."""

from tests.generated.documents import documents

for file, text in documents().items():
    file.write_text(text, "utf-8")
