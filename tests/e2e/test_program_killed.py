"""kill -9 in the middle of a run: the next run converges, and nothing was made twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.e2e.program_sample import STACK, Project, emulated, project
from twin import account, program

__all__ = ["emulated", "project"]

ROOT = Path(__file__).resolve().parents[2]
SUBNETS = 24
BODY = f"""
vpc = aws.ec2.Vpc("net", cidr_block="10.9.0.0/16", tags={{"Name": "killed"}}, opts=mine)
for n in range({SUBNETS}):
    subnet = aws.ec2.Subnet(f"sub-{{n}}", vpc_id=vpc.id, cidr_block=f"10.9.{{n}}.0/24", opts=mine)
    table = aws.ec2.RouteTable(f"table-{{n}}", vpc_id=vpc.id, opts=mine)
    aws.ec2.RouteTableAssociation(f"pair-{{n}}", subnet_id=subnet.id, route_table_id=table.id, opts=mine)
"""
HOST = """
import sys, pathlib
from twin import account, program
root, build = map(pathlib.Path, sys.argv[1:3])
say = lambda *_: print("step\\n", end="", flush=True)
program.run(sys.argv[3], account.find(build), root=root, on_step=say)
"""


def killed_after(project: Project, build: Path, wanted: int) -> None:
    command = [sys.executable, "-c", HOST, str(project.root), str(build), STACK]
    host = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert host.stdout is not None
    for _ in range(wanted):
        assert host.stdout.readline() == "step\n"
    host.stdout.close()
    children = psutil.Process(host.pid).children()
    os.kill(host.pid, signal.SIGKILL)
    host.wait()
    deadline = time.monotonic() + 120
    while any(child.is_running() and child.status() != "zombie" for child in children):
        assert time.monotonic() < deadline, "the program outlived its host"
        time.sleep(0.05)


@pytest.mark.parametrize("wanted", [1, 6, 40])
def test_the_next_run_converges_and_nothing_was_made_twice(
    project: Project, tmp_path_factory: pytest.TempPathFactory, wanted: int
) -> None:
    build = next(path for path in tmp_path_factory.getbasetemp().glob("account*") if _runs(path, project))
    project.write(BODY)
    killed_after(project, build, wanted)
    run = project.run()
    assert set(run.counts()) <= {"same", "create", "update"}
    ec2 = project.ec2()
    vpcs = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["killed"]}])["Vpcs"]
    assert [vpc["VpcId"] for vpc in vpcs] == [project.state()["net"]["id"]]
    inside = [{"Name": "vpc-id", "Values": [vpcs[0]["VpcId"]]}]
    assert len(ec2.describe_subnets(Filters=inside)["Subnets"]) == SUBNETS
    assert len(ec2.describe_route_tables(Filters=inside)["RouteTables"]) == SUBNETS + 1
    assert project.run().changes == 0
    program.run(STACK, project.account, "down", root=project.root)
    assert ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["killed"]}])["Vpcs"] == []


def _runs(build: Path, project: Project) -> bool:
    found = account.find(build)
    return found is not None and found.pid == project.account.pid
