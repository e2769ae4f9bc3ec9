"""Runs on a node: has libaudit's own parser read every rule of a file; prints what it does not understand.

`auditctl -R` needs a kernel with the audit subsystem, which a container has not; the library needs none.
"""

import ctypes
import re
import sys
from pathlib import Path

EXIT_FILTER = 0x04
audit = ctypes.CDLL("libaudit.so.1")
libc = ctypes.CDLL(None)
libc.calloc.restype = ctypes.c_void_p


def problems(line):
    """What the library refuses of one rule, in its words' order."""
    if line.startswith("-w "):
        return [] if re.fullmatch(r"-w /\S+ -p [rwxa]+ -k [\w-]+", line) else ["not a watch"]
    if re.fullmatch(r"-(D|i|e [012]|f [012]|b \d+)", line):
        return []
    if not line.startswith("-a always,exit "):
        return ["not a rule"]
    # Room for struct audit_rule_data; the library enlarges it for text fields.
    rule = ctypes.c_void_p(libc.calloc(1, 16384))
    found = []
    for option, value in re.findall(r"-([FSC]) (\S+)", line):
        if option == "S":
            refused = [
                n for n in value.split(",") if audit.audit_rule_syscallbyname_data(rule, n.encode()) < 0
            ]
            found += [f"system call {name}" for name in refused]
        elif value.startswith("key="):  # the library takes a key only from auditctl itself
            found += [] if re.fullmatch(r"key=[\w-]{1,31}", value) else [f"field {value}"]
        else:
            take = audit.audit_rule_fieldpair_data if option == "F" else audit.audit_rule_interfield_comp_data
            code = take(ctypes.byref(rule), value.encode(), EXIT_FILTER)
            found += [f"field {value} ({code})"] if code < 0 else []
    return found


def main(path):
    """Judge a file; 1 if anything in it is not understood."""
    text = Path(path).read_text()
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    wrong = {line: problems(line) for line in lines}
    for line, found in wrong.items():
        if found:
            print(f"{line}: {', '.join(found)}")
    print(f"{len(lines)} rules")
    return int(any(wrong.values()))


sys.exit(main(sys.argv[1]))
