"""One channel carries many commands, keeps their answers apart, and survives what a node says."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from verify import agent
from verify.account import Account
from verify.channel import BOOTSTRAP, Channel, ChannelFault, CommandFault
from verify.evidence import LIMIT, Recorder, redact
from verify.fleet import channel_argv, patiently


@pytest.fixture(autouse=True)
def _long(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent keeps a command's limit by itself; how soon it says so tells how busy the machine is."""
    monkeypatch.setattr("verify.channel.PATIENCE", 60)


@pytest.fixture
def channel() -> Iterator[Channel]:
    opened = Channel([sys.executable, "-I", "-u", "-c", BOOTSTRAP])
    yield opened
    opened.close()


def test_status_output_and_errors_come_back_apart(channel: Channel) -> None:
    answer = channel.run("printf 'out\\000\\377'; printf err >&2; exit 7")
    assert (answer.rc, answer.stdout, answer.stderr) == (7, b"out\x00\xff", b"err")


def test_a_hundred_commands_share_one_process(channel: Channel) -> None:
    started = time.monotonic()
    parents = {channel.run("echo $PPID").stdout for _ in range(100)}
    assert len(parents) == 1
    assert time.monotonic() - started < 60


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("stat -Lc %a /etc/passwd", 4),
        ("/usr/bin/stat -Lc %a /etc/passwd", 4),
        ("sysctl -n net.ipv4.ip_forward", 3),
        ("cat /etc/*.conf", 0),
        ("cat ~root/x", 0),
        ("cat 'a b'", 0),
        ("LC_ALL=C cat x", 0),
        ("true", 0),
        ("test -e /etc/passwd", 0),
        ("no-such-program -x", 0),
        ("cat  x", 0),
        ("cat x\nrm y", 0),
        ("cat x\n", 0),
        ("cat x; rm y", 0),
        ("cat x | wc", 0),
        ("cat $HOME", 0),
        ("", 0),
    ],
)
def test_only_what_a_shell_would_merely_start_is_started_without_one(command: str, words: int) -> None:
    assert len(agent.plain(command.encode())) == words


@pytest.mark.parametrize(
    "command",
    [
        "id -u",
        "cat /nowhere",
        "no-such-program -x",
        "printf a%sb x",
        "/etc/passwd",
        "/nowhere/program x",
        "echo -n x",
        "pwd",
        "env",
        "/etc",
        "sleep x",
    ],
)
def test_without_a_shell_a_command_answers_as_with_one(channel: Channel, command: str) -> None:
    with_shell = channel.run(f"{command} ;")  # the semicolon needs one
    without = channel.run(command)
    assert (without.rc, without.stderr) == (with_shell.rc, with_shell.stderr)
    own = (b"PWD=", b"OLDPWD=", b"_=")  # what a shell tells the programs that it starts
    lines = [
        [x for x in sorted(a.stdout.splitlines()) if not x.startswith(own)] for a in (without, with_shell)
    ]
    assert lines[0] == lines[1]


@pytest.mark.parametrize("end", ["", " ;"])  # without and with a shell
def test_a_command_inherits_nothing_of_the_agent(channel: Channel, end: str) -> None:
    def said(command: str) -> str:
        return channel.run(command + end).stdout.decode().strip()

    ignored = int(said("grep SigIgn /proc/self/status").split()[1], 16)
    assert not any(ignored >> (number - 1) & 1 for number in (signal.SIGPIPE, signal.SIGXFSZ)), "Python's own"
    assert said("readlink /proc/self/cwd") == "/"
    assert said("readlink /proc/self/fd/0") == "/dev/null"
    assert said("ls /proc/self/fd").split() == ["0", "1", "2", "3"], "3 is the folder that ls reads"
    agent_of = channel.run("ps -o sid= -p $PPID").stdout.split()
    assert said("ps -o sid= -C ps").split()[0].encode() not in agent_of


def test_the_agent_leaves_no_dead_process_behind(channel: Channel) -> None:
    for _ in range(3):
        channel.run("id -u")
        with pytest.raises(CommandFault):
            channel.run("sleep 86.5", seconds=1)
    end = time.monotonic() + 30  # a process that was killed is there until it gets the processor once more
    while b"Z" in channel.run("ps -o stat= --ppid $PPID").stdout:
        assert time.monotonic() < end, "nobody waits for those that were killed"
        time.sleep(0.1)


def test_a_command_that_closes_its_output_is_waited_for(channel: Channel) -> None:
    assert channel.run("exec >&- 2>&-; sleep 0.3; exit 5", seconds=60).rc == 5
    with pytest.raises(CommandFault, match="took longer than 1 s"):
        channel.run("exec >&- 2>&-; sleep 86.5", seconds=1)


def test_a_script_that_names_no_interpreter_is_the_shells(channel: Channel, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo from the shell\n")
    script.chmod(0o755)
    assert channel.run(str(script)).stdout == b"from the shell\n"


def test_the_language_of_the_node_is_c(channel: Channel) -> None:
    assert channel.run("ls /nowhere").stderr.endswith(b"No such file or directory\n")
    assert channel.run('echo "$LC_ALL"').stdout == b"C\n", "also where no other language is installed"


def test_a_command_that_takes_too_long_is_ended_with_its_children(channel: Channel) -> None:
    with pytest.raises(CommandFault, match="took longer than 1 s"):
        channel.run("sleep 77.125 & sleep 77.125", seconds=1)
    gone = "for i in $(seq 300); do pgrep -f '[s]leep 77.125' >/dev/null || exit 0; sleep 0.1; done; exit 1"
    assert channel.run(gone, seconds=60).rc == 0


def test_a_slow_node_gets_the_time_that_it_was_given() -> None:
    slow, less = (Channel([sys.executable, "-I", "-u", "-c", BOOTSTRAP], patience=n) for n in (60, 2))
    try:
        assert slow.run("sleep 1.5", seconds=1).rc == 0
        with pytest.raises(CommandFault, match="took longer than 2 s"):
            less.run("sleep 86.5", seconds=1)
    finally:
        slow.close()
        less.close()


def test_a_slow_node_gets_it_for_its_first_word_too() -> None:
    argv = channel_argv({"ansible_host": "10.0.0.1", "inventory_hostname": "edge-a-1"})
    patient = patiently(argv, 4)
    assert "ConnectTimeout=40" in patient
    assert [word for word in patient if word not in argv] == ["ConnectTimeout=40"]
    assert patiently(argv, 1) == argv


def test_an_answer_of_a_hundred_megabytes_is_refused_and_the_channel_goes_on(channel: Channel) -> None:
    with pytest.raises(CommandFault, match="answered more than"):
        channel.run("head -c 100000000 /dev/zero")
    assert channel.run("echo still here").stdout == b"still here\n"


def test_a_daemon_that_keeps_the_output_open_does_not_hold_the_answer(channel: Channel) -> None:
    started = time.monotonic()
    assert channel.run("sleep 86.25 & echo done; echo $! >&2", seconds=60).stdout == b"done\n"
    assert time.monotonic() - started < 60
    channel.run("pkill -f '[s]leep 86.25'")


def test_an_answer_out_of_turn_ends_the_channel() -> None:
    head = "import sys;r=sys.stdin.buffer;n=bytes.fromhex(r.readline().decode());r.read(int(r.readline()));"
    lie = "w=sys.stdout.buffer;w.write(b'welcome'+n);w.flush();r.read(12);"
    lie += "w.write(b'GARBAGE'*10);w.flush();r.read(1)"
    channel = Channel([sys.executable, "-I", "-u", "-c", head + lie])
    with pytest.raises(ChannelFault, match="out of turn or with garbage"):
        channel.run("true")
    with pytest.raises(ChannelFault, match="out of turn"):
        channel.run("true")


def test_no_program_travels_in_the_command_line() -> None:
    variables = {"ansible_host": "10.0.0.1", "ansible_user": "admin", "inventory_hostname": "edge-a-1"}
    argv = channel_argv(
        {**variables, "ansible_ssh_common_args": "-o ProxyCommand='in the net'", "ansible_port": 2222}
    )
    assert argv[0] == "ssh" and "ProxyCommand=in the net" in argv
    assert argv[argv.index("-p") + 1] == "2222" and argv[argv.index("-l") + 1] == "admin"
    assert argv[-1].startswith("sudo -n -- python3 -I -u -c ") and len(argv[-1]) < 250
    assert "sudo" not in channel_argv({**variables, "ansible_user": "root"})[-1]


@pytest.mark.parametrize(
    "secret",
    [
        "root:$6$salt$qwertyuiopasdfgh:19000:0:99999:7:::",
        '{"SecretString": "hunter2-hunter2"}',
        "PreSharedKey = s3cr3tpsk.value",
        "<pre_shared_key>s3cr3tpsk</pre_shared_key>",
        "Authorization: Bearer abc.def.ghi",
        "AKIAABCDEFGHIJKLMNOP",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\n-----END RSA PRIVATE KEY-----",
        'aws_secret_access_key="wJalrXUtnFEMIabc"',
    ],
)
def test_evidence_shows_that_there_was_a_secret_and_not_the_secret(secret: str) -> None:
    shown = redact(secret)
    assert "[redacted]" in shown
    words = ("qwertyuiop", "hunter2", "s3cr3tpsk", "abc.def", "BCDEFGHIJ", "MIIEabc", "wJalr")
    assert not any(word in shown for word in words), shown


@pytest.mark.parametrize(
    "text", ["admin ALL=(ALL) NOPASSWD:ALL", "lock_passwd: true", "passwordauthentication no"]
)
def test_what_only_sounds_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_evidence_is_bounded_and_keeps_what_decided() -> None:
    recorder = Recorder()
    for number in range(50):
        recorder.note(f"$ command {number}", "x" * 5000)
    assert len(recorder.text()) <= LIMIT
    assert "command 49" in recorder.text() and "earlier reads left out" in recorder.text()


def test_verification_cannot_change_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STOCKADE_TODAY", raising=False)
    account = Account("ap-south-1", Recorder())
    with pytest.raises(ValueError, match="verification changes nothing"):
        account.read("ec2", "terminate_instances", InstanceIds=["i-1"])
