"""What property tests make source text of: the words and signs of many languages, line ends, blanks, other scripts."""

from __future__ import annotations

WORDS = (
    *("def ", "class ", "function ", "return ", "if ", "{", "}", "(", ")", "[", "]", ";", ":", ",", "=", '"', "'"),
    *(
        "#",
        "//",
        "/*",
        "*/",
        "<div>",
        "</div>",
        "\n",
        "\r\n",
        "\r",
        "\n\n",
        "    ",
        "\t",
        "name",
        "Größe",
        "日本",
        "😀",
    ),
    *("\x0b", "\x0c", "\u2028", "\u3000", "=>", "->", "@", "`", "\\", "1", "end", "x" * 60),
)
