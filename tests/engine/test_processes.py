import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PARENT = """
import multiprocessing, time
from engine.processes import kill_children_with_parent

if __name__ == "__main__":
    fork = multiprocessing.get_context("fork")
    inside, outside = (fork.Process(target=time.sleep, args=(30,)) for _ in range(2))
    with kill_children_with_parent("VLLM::EngineCore"):
        inside.start()
    outside.start()
    print(inside.pid, outside.pid, flush=True)
    time.sleep(30)
"""


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_child_follows_its_killed_parent_and_others_do_not() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        inside, outside = map(int, parent.stdout.readline().split())
        time.sleep(0.6)
        assert is_alive(inside)
        assert Path(f"/proc/{inside}/comm").read_text() == "VLLM::EngineCor\n"
        parent.kill()
    deadline = time.monotonic() + 5
    while is_alive(inside) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(inside)
    assert is_alive(outside)
    os.kill(outside, signal.SIGKILL)
