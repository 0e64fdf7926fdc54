"""The examples of a page: code, and what it prints."""
import re


def examples(text):
    """(code, what it prints) of every block of Python in a page of Markdown, printed or not."""
    return re.findall(r"```python\n(.*?)```\n(?:\n```\n(.*?)```)?", text, re.S)


def without_rounding(text):
    """`text`, in which errors so small that they are nothing but rounding all look the same."""
    return re.sub(r"\d\.\de-\d\d", lambda match: "below 1e-9" if float(match[0]) < 1e-9 else match[0], text)
