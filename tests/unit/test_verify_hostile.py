"""A node that lies, drips, floods or breaks down costs its own results, in bounded time and little memory."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit import verify_bench
from tests.unit.verify_bench import GOOD, Bench, hostile
from verify import unheard
from verify.announcing import interests, is_plain
from verify.channel import BOOTSTRAP, Channel, ChannelFault, CommandFault

pytest_plugins = ["pytester"]
bench = verify_bench.bench  # the fixture

# Takes the agent off the wire, says the nonce, then does what the case says.
HEAD = (
    "import sys,time,struct,os;r=sys.stdin.buffer;w=sys.stdout.buffer;n=bytes.fromhex(r.readline().decode());"
    "r.read(int(r.readline()));w.write(n);w.flush();"
    "\ndef ask():\n global m;h=r.read(12);m=h[:4];return r.read(struct.unpack('>II',h[4:])[0])\n"
    "def say(b):\n w.write(b);w.flush()\n"
    "def head(out,err,status=0,flag=0):\n return struct.pack('>4siBII',m,status,flag,out,err)\n"
)
LATE, LONG = "did not answer in time", 60  # so long is nothing waited for, however busy the machine is
LIES = {
    "more is announced than ever comes": ("ask();say(head(5,0)+b'ab');r.read(1)", "did not answer in time"),
    "less is announced than comes": ("ask();say(head(2,0)+b'abcdef');ask()", "said more than it was asked"),
    "four gigabytes are announced": ("ask();say(head(2**32-1,0))", "out of turn or with garbage"),
    "both lengths together are too much": ("ask();say(head(8*2**20,8*2**20))", "out of turn"),
    "the connection ends in the middle": ("ask();say(head(9,0)+b'abc');os._exit(0)", "the connection ended"),
    "it ends inside the head": ("ask();say(head(9,0)[:7]);os._exit(0)", "the connection ended"),
    "an answer drips": (
        "ask();say(head(99,0))\nwhile 1: say(b'x');time.sleep(.05)",
        "did not answer in time",
    ),
    "an answer comes unasked": ("m=b'STK1';say(head(2,0)+b'ok');ask();r.read(1)", "out of turn"),
    "an answer comes in one piece with the nonce": (
        "pass",
        "out of turn",
    ),
    "an answer comes twice": (
        "ask();say(head(2,0)+b'ok');say(head(2,0)+b'ok');ask();r.read(1)",
        "more than|out of turn",
    ),
    "it hangs and listens no more": ("time.sleep(60)", "did not answer in time"),
}


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verify.channel.PATIENCE", 0.5)


@pytest.mark.parametrize("lie", LIES)
def test_a_lying_channel_ends_with_one_sentence_in_time(lie: str) -> None:
    program, said = LIES[lie]
    head = HEAD.replace("w.write(n)", "w.write(n+b'STK1')") if lie.endswith("with the nonce") else HEAD
    channel = Channel([sys.executable, "-I", "-u", "-c", head + program])
    started = time.monotonic()
    with pytest.raises(ChannelFault, match=said):
        for _ in range(3):
            channel.run("true", seconds=1 if said == LATE else LONG)
    assert time.monotonic() - started < LONG
    assert channel.fault and "\n" not in channel.fault
    with pytest.raises(ChannelFault):
        channel.run("true")


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("import sys,time;sys.stdout.write('Welcome!\\n'*500);sys.stdout.flush();", None),
        ("import sys;sys.stderr.write('Authorized use only\\n'*5000);sys.stderr.flush();", None),
        ("import os;os.environ['LC_ALL']='tr_TR.ISO-8859-9';os.environ['PYTHONIOENCODING']='utf-16';", None),
        ("import sys;sys.exit('bash: python3: command not found');", "python3: command not found"),
        ("import time;time.sleep(60);", "did not answer in time"),
        ("import sys,time\nwhile 1: sys.stdout.write('.');sys.stdout.flush();time.sleep(.05)\n", "in time"),
    ],
)
def test_what_comes_before_the_agent_is_noise_or_the_end(before: str, said: str | None) -> None:
    patience = 2 if said and "in time" in said else LONG
    channel = Channel([sys.executable, "-I", "-u", "-c", before + BOOTSTRAP], connect_seconds=patience)
    if said is None:
        assert channel.run("echo caf\u00e9; ls /nowhere", seconds=LONG).stdout == "caf\u00e9\n".encode()
        channel.close()
        return
    with pytest.raises(ChannelFault, match=said):
        channel.open()


# A process that was killed is there until it gets the processor once more.
GONE = "for i in $(seq 300); do pgrep -f '[s]leep 86.75' >/dev/null || exit 0; sleep 0.1; done; exit 1"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        # 50 background jobs: stands for a node that starts processes without end; they are gone afterwards
        ("for i in $(seq 50); do sleep 86.75 & done; sleep 86.75", "took longer than 1 s"),
        ("trap '' TERM HUP INT; sleep 86.75", "took longer than 1 s"),
        ("while :; do printf x; sleep 0.02; done", "took longer than 1 s"),
        ("cat /dev/urandom >&2", "answered more than"),
    ],
)
def test_a_command_that_never_ends_is_ended_and_the_next_one_runs(
    monkeypatch: pytest.MonkeyPatch, command: str, answer: str
) -> None:
    monkeypatch.setattr("verify.channel.PATIENCE", LONG)  # the agent keeps the limit, and may take its time
    channel = Channel([sys.executable, "-I", "-u", "-c", BOOTSTRAP])
    with pytest.raises(CommandFault, match=answer):
        channel.run(command, seconds=1 if "took" in answer else LONG)
    assert channel.run(GONE, seconds=LONG).rc == 0, "a process was killed and is still there"
    channel.close()


@pytest.mark.parametrize(("limit", "least"), [("NPROC", 0), ("FSIZE", 0), ("NOFILE", 6)])
def test_a_node_without_resources_fails_the_command_and_not_the_channel(limit: str, least: int) -> None:
    """No process (as after a fork bomb), no room on the disk, no descriptor left."""
    imports = "import os,resource,select,signal,struct,subprocess,time,typing;"
    user = "os.setuid(65534);" if limit == "NPROC" else ""  # root is exempt from that limit
    prepare = f"{imports}{user}resource.setrlimit(resource.RLIMIT_{limit},({least},{least}));"
    channel = Channel([sys.executable, "-I", "-u", "-c", prepare + BOOTSTRAP])
    answers = [channel.run("echo x > /tmp/stockade-full; cat /nowhere | cat; exit 3") for _ in range(3)]
    assert all(answer.rc not in (0, 3) for answer in answers), answers
    channel.close()


def test_the_agent_needs_neither_disk_nor_environment() -> None:
    """It runs from memory, on a read-only system, with an empty environment."""
    channel = Channel(["env", "-i", sys.executable, "-I", "-u", "-c", BOOTSTRAP])
    assert channel.run("echo $HOME $LC_ALL").stdout == b"/root C\n"
    channel.close()


def test_flooding_nodes_cost_little_memory_and_only_their_own_results(bench: Bench) -> None:
    """The whole run has 600 MB of address space a process, and a flood on each channel."""
    for number in range(4):
        name = f"flood-a-{number}"
        bench.nodes.append((name, "app"))
        bench.hosts[name] = hostile(bench, name, FLOOD.format(python=sys.executable))
    big = """
    @pytest.mark.control("STK-SSH-001")
    def test_big(host):
        assert "never" in host.run("head -c 8000000 /dev/zero").stdout
    """
    bench.pytester.path.joinpath("limit.py").write_text(
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (600 * 2**20, 600 * 2**20))\n"
    )
    assert bench.run(GOOD + big, "-p", "limit", fork=True).ret == 3
    found = {(r["subject"], r["test"].split("::")[-1].split("[")[0]): r for r in bench.results["results"]}
    assert found["app-a-1", "test_good"]["status"] == "pass"
    assert found["app-a-1", "test_big"]["status"] == "fail", found["app-a-1", "test_big"]
    red = {r["status"] for (node, _), r in found.items() if node.startswith("flood")}
    assert red <= {"fail", "error"}, "the first answer is well formed and wrong, the rest is lost"
    assert (bench.pytester.path / "results.json").stat().st_size < 200_000


FLOOD = """exec {python} -c '
import struct, sys
read, write = sys.stdin.buffer, sys.stdout.buffer
nonce = bytes.fromhex(read.readline().decode())
read.read(int(read.readline()))
write.write(nonce)
write.flush()
mark = read.read(12)[:4]
write.write(struct.pack(">4siBII", mark, 0, 0, 8 << 20, 0))
while True:
    write.write(bytes(1 << 20))
'"""


def test_a_lost_node_is_not_asked_again(bench: Bench) -> None:
    """Whatever is left of its tests is closed at once, each with the reason."""
    dying = HEAD.replace('"', "'") + "ask();say(head(5,0)+b'good\\n');ask();os._exit(0)"
    script = bench.pytester.path / "dying.py"
    script.write_text(dying)
    bench.hosts["edge-a-1"] = hostile(bench, "dying", f"exec {sys.executable} {script}")
    bench.controls |= {f"STK-SSH-{n:03d}": ["nodes"] for n in range(2, 40)}
    tests = "".join(
        GOOD.replace("001", f"{n:03d}").replace("test_good", f"test_{n:03d}") for n in range(1, 40)
    )
    assert bench.run(tests).ret == 3
    mine = [r for r in bench.results["results"] if r["subject"] == "edge-a-1"]
    assert [r["status"] for r in mine] == ["pass", *["error"] * 38]
    assert {r["message"] for r in mine[1:]} == {"edge-a-1 was lost: the connection ended"} | {
        mine[1]["message"]
    }
    assert bench.statuses("app-a-1") == ["pass"] * 39


def test_a_trace_that_somebody_asks_for_holds_no_secret(bench: Bench) -> None:
    """--tb=long and --junitxml show what a node said; CI systems keep both."""
    bench.nodes = bench.nodes[:1]
    tests = """
    @pytest.mark.control("STK-SSH-001")
    def test_key(host):
        said = host.run("echo psk = sword; echo root:\\\\$6\\\\$salt\\\\$hash0hash0:1:").stdout
        print(said)
        assert "nothing" in said
    """
    log = bench.pytester.path / "log.xml"
    result = bench.run(tests, "-v", "--tb=long", "-rA", f"--junitxml={log}", fork=True)
    assert result.ret == 1
    everything = result.stdout.str() + result.stderr.str() + log.read_text() + str(bench.results)
    assert "psk = [redacted]" in everything and "root:$6$[redacted]" in everything
    # The source line of the test itself is shown and holds the word; what the node answered must not.
    answers = [line for line in everything.splitlines() if "echo psk" not in line]
    assert not [line for line in answers if "sword" in line or "hash0hash0" in line]


@pytest.mark.parametrize(
    ("when", "outcome", "everything", "sent"),
    [
        ("setup", "passed", False, False),
        ("teardown", "passed", False, False),
        ("call", "passed", False, True),
        ("setup", "failed", False, True),
        ("setup", "skipped", False, True),
        ("teardown", "failed", False, True),
        ("setup", "passed", True, True),
    ],
)
def test_only_what_says_nothing_stays_in_its_worker(
    when: Any, outcome: Any, everything: bool, sent: bool
) -> None:
    report = pytest.TestReport("t", ("f", 1, "t"), {}, outcome, None, when)
    assert interests(report, everything) is sent


def test_a_report_that_says_more_than_its_times_travels_whole() -> None:
    good = pytest.TestReport("t", ("f", 1, "t"), {}, "passed", None, "call", duration=0.5, start=1, stop=1.5)
    assert is_plain(good)
    more: list[tuple[str, Any]] = [
        ("sections", [("Captured stdout call", "x")]),
        ("user_properties", [("ticket", "T-1")]),
        ("wasxfail", "later"),
        ("outcome", "failed"),
        ("when", "setup"),
        ("of_another_plugin", 1),
    ]
    for name, value in more:
        report = pytest.TestReport("t", ("f", 1, "t"), {}, "passed", None, "call")
        setattr(report, name, value)
        assert not is_plain(report), name


HEARD = """
import os
COLLECTOR = os.getpid()

def pytest_runtest_logreport(report):
    if os.getpid() == COLLECTOR:
        with open("heard", "a") as file:
            print(report.nodeid, report.when, report.outcome, report.duration > 0.9, report.location[0],
                  sorted(report.user_properties), file=file)
"""


def test_pytest_hears_of_every_test_and_how_long_it_took(bench: Bench) -> None:
    """Plain reports cross the pipe as three numbers and are whole again for whoever listens."""
    bench.pytester.path.joinpath("heard_by.py").write_text(HEARD)
    tests = GOOD.replace("host):", "host):\n        import time; time.sleep(1)")
    tests += """
    @pytest.mark.control("STK-SSH-001")
    def test_noted(host, record_property):
        record_property("ticket", "T-1")
    """
    assert bench.run(tests, "-p", "heard_by", fork=True).ret == 0
    place = Path("suite") / "test_it.py"
    assert bench.pytester.path.joinpath("heard").read_text().splitlines() == [
        f"{place}::{test}[{node}] call passed {slow} {place} {noted}"
        for node in ("app-a-1", "edge-a-1")
        for test, slow, noted in (("test_good", True, []), ("test_noted", False, [["ticket", "T-1"]]))
    ]


def asking(name: str, fixture: str, body: str, mark: str = "") -> str:
    """A test that asks pytest to record something."""
    head = f'@pytest.mark.control("STK-SSH-001")\n{mark}def test_{name}(host{fixture}):\n'
    return f"{head}    import logging, warnings\n    {body}\n"


def test_what_a_test_asks_pytest_to_record_is_recorded_in_its_worker(bench: Bench) -> None:
    bench.nodes = bench.nodes[:1]
    raising = '@pytest.mark.filterwarnings("error")\n'
    tests = [
        asking("output", ", capsys", "print('x'); assert capsys.readouterr().out == 'x\\n'"),
        asking("log", ", caplog", "logging.warning('x'); assert caplog.messages == ['x']"),
        asking("warning", ", recwarn", "warnings.warn('x'); assert len(recwarn) == 1"),
        asking("unheard", "", "warnings.warn('x')"),
        asking("marked", "", "warnings.warn('x')", raising),
    ]
    assert bench.run("\n".join(tests), fork=True).ret == 3
    found = {r["test"].split("::")[-1].split("[")[0]: r["status"] for r in bench.results["results"]}
    assert found.pop("test_marked") == "error"
    assert set(found.values()) == {"pass"} and len(found) == 4


def test_a_filter_that_raises_warnings_is_heeded_in_a_worker(bench: Bench) -> None:
    bench.nodes = bench.nodes[:1]
    assert bench.run(asking("x", "", "warnings.warn('x')"), "-W", "e::UserWarning", fork=True).ret == 3
    assert "UserWarning: x" in str(bench.results)


@pytest.mark.parametrize(
    ("text", "raises"),
    [
        ("error", True),
        ("error::DeprecationWarning", True),
        ("e", True),
        (" error :x", True),
        ("default", False),
        ("ignore:error", False),
        ("", False),
    ],
)
def test_a_filter_that_raises_is_known_by_its_action(text: str, raises: bool) -> None:
    assert unheard._raises(text) is raises
