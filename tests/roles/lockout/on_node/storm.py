"""A storm of wrong passwords, as bots bring it: hundreds for our account and for root, through PAM itself."""

import ctypes
import subprocess
import sys

PAM, LIBC = ctypes.CDLL("libpam.so.0"), ctypes.CDLL("libc.so.6")
LIBC.calloc.restype = LIBC.strdup.restype = ctypes.c_void_p
FAIL_DELAY = 10  # pam_set_item(3): no pause after a failure, so that a storm takes no minutes


class Response(ctypes.Structure):
    _fields_ = [("text", ctypes.c_void_p), ("code", ctypes.c_int)]


TALK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
PAUSE = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p)


class Conversation(ctypes.Structure):
    _fields_ = [("talk", TALK), ("data", ctypes.c_void_p)]


@TALK
def wrong(count, _messages, answers, _data):
    given = LIBC.calloc(count, ctypes.sizeof(Response))
    for response in (Response * count).from_address(given):
        response.text = LIBC.strdup(b"wrong")
    ctypes.c_void_p.from_address(answers).value = given
    return 0


@PAUSE
def none(_code, _microseconds, _data):
    return None


def attempt(name):
    handle, conversation = ctypes.c_void_p(), Conversation(wrong, None)
    assert PAM.pam_start(b"sudo", name.encode(), ctypes.byref(conversation), ctypes.byref(handle)) == 0
    PAM.pam_set_item(handle, FAIL_DELAY, none)
    code = PAM.pam_authenticate(handle, 0)
    PAM.pam_end(handle, code)
    return code


for name in ("admin", "root"):
    assert all(attempt(name) != 0 for _ in range(150)), f"a wrong password opened {name}"
recorded = subprocess.run(
    ["faillock", "--dir", "/var/log/faillock", "--user", "admin"], capture_output=True, text=True, check=True
).stdout
sys.exit(0 if recorded.count("V") >= 5 else f"the storm was not counted: {recorded}")
