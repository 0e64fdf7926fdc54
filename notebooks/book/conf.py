"""The settings of Sphinx for the book; `tinycnn book` adds the pages that it makes of the package and runs it."""
project = "tinycnn"
author = "the authors of tinycnn"
copyright = author
html_title = "tinycnn, the book"
extensions = ["myst_nb", "tinycnn.cli.book.extension"]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "off"          # the lessons' stored outputs are shown
suppress_warnings = ["toc.not_included", "myst.header"]  # contents.json says where a page belongs
exclude_patterns = ["theme"]
html_theme = "theme"
html_theme_path = ["."]
html_math_renderer = "mathml"
html_show_search_summary = False   # it would read other pages, which no browser allows to a page from the disk
html_copy_source = False
html_use_index = False
html_domain_indices = False
