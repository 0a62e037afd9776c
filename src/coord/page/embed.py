"""embed.py OUTPUT FILE...: a C file that holds the files as arrays, named by the file: page.css is page_css."""
import pathlib
import sys

output, *files = map(pathlib.Path, sys.argv[1:])
text = ['/* Made by src/coord/page/embed.py. */\n#include "coord/page.h"\n']
for file in files:
    data, name = file.read_bytes(), file.name.replace(".", "_")
    rows = [", ".join(f"{byte}" for byte in data[at:at + 20]) for at in range(0, len(data), 20)]
    text.append(f"static const unsigned char {name}_bytes[] = {{\n    " + ",\n    ".join(rows) + "};\n\n"
                f"const struct page_file {name} = {{{name}_bytes, sizeof({name}_bytes)}};\n")
output.write_text("\n".join(text))
