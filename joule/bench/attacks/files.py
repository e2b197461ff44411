"""Attempts on the host's files, environment and open descriptors."""

from __future__ import annotations

from joule.bench.attacks.attack import Attack, Given, Wall


def read_a_secret_file(given: Given) -> object:
    return open(given["secret"]).read()


def see_the_password_file(given: Given) -> object:
    import os

    return os.path.exists("/etc/shadow")


def list_the_hosts_folders(given: Given) -> object:
    import os

    return [each for each in ("/root", "/home", "/var", "/sys", "/boot", "/run") if os.path.lexists(each)]


def read_the_environment(given: Given) -> object:
    import os

    return given["mark"] in str(os.environ) and "the mark is in the environment"


def read_the_environment_of_others(given: Given) -> object:
    import os

    found = []
    for each in os.listdir("/proc"):
        if each.isdigit():
            try:
                found += [each] * (given["mark"].encode() in open(f"/proc/{each}/environ", "rb").read())
            except OSError:
                continue
    return found


def read_the_arguments_of_the_first_process(given: Given) -> object:
    return given["folder"].encode() in open("/proc/1/cmdline", "rb").read() and "the host's paths are in the arguments"


def find_the_installation_among_the_mounts(given: Given) -> object:
    return given["folder"] in open("/proc/self/mountinfo").read() and "the installation's folder is mounted"


def use_a_descriptor_left_open(given: Given) -> object:
    import os

    found = []
    for each in range(3, 256):
        try:
            found.append(os.pread(each, 100, 0).decode())
        except OSError:
            continue
    return [each for each in found if given["mark"] in each]


def write_a_program_of_the_host(given: Given) -> object:
    import os

    os.close(os.open("/usr/bin/env", os.O_WRONLY))  # opened, never written
    return "a program of the host can be written"


def write_into_what_is_lent(given: Given) -> object:
    with open("/opt/site/written", "w") as made:
        made.write("x")
    return "a folder of the host was written"


def replace_what_is_lent(given: Given) -> object:
    import os

    os.rename("/opt/site/kept", "/opt/site/taken")
    os.rename("/opt/site/taken", "/opt/site/kept")
    return "a file of the host was renamed"


def change_who_may_read_what_is_lent(given: Given) -> object:
    import os

    os.link("/opt/site/kept", "/opt/site/twin")
    return "a file of the host got a second name"


def write_into_the_root(given: Given) -> object:
    with open("/planted", "w") as made:
        made.write("x")
    return "a file in the root"


def replace_the_guest(given: Given) -> object:
    import os

    os.makedirs("/opt/joule", exist_ok=True)
    open("/opt/joule/agent.py", "a").close()
    os.rename("/opt/joule/agent.py", "/opt/joule/other.py")
    return "the guest's program was replaced"


def speak_to_a_service_by_its_file(given: Given) -> object:
    import socket

    with socket.socket(socket.AF_UNIX) as line:
        line.connect(given["service"])
        return line.recv(100)


def read_shared_memory_files(given: Given) -> object:
    return open(given["shared"]).read()


def list_the_hosts_control_groups(given: Given) -> object:
    import os

    return os.listdir("/sys/fs/cgroup")


def find_a_disk_among_the_devices(given: Given) -> object:
    import os

    plain = [
        "null",
        "zero",
        "full",
        "random",
        "urandom",
        "tty",
        "console",
        "ptmx",
        "pts",
        "shm",
        "fd",
        "stdin",
        "stdout",
        "stderr",
        "core",
    ]
    return sorted(set(os.listdir("/dev")) - set(plain))


TREE, READ_ONLY = (Wall.TREE,), (Wall.READ_ONLY,)
ATTACKS = (
    Attack(number="1", run=read_a_secret_file, walls=TREE),
    Attack(number="2", run=see_the_password_file, walls=TREE),
    Attack(number="3", run=list_the_hosts_folders, walls=TREE),
    Attack(number="4", run=read_the_environment, walls=(Wall.ENVIRONMENT,)),
    Attack(number="5", run=read_the_environment_of_others, walls=(Wall.ENVIRONMENT,)),
    Attack(number="6", run=read_the_arguments_of_the_first_process, walls=(Wall.ARGUMENTS,), with_folder=True),
    Attack(number="7", run=find_the_installation_among_the_mounts, walls=TREE),
    Attack(number="8", run=use_a_descriptor_left_open, walls=(Wall.DESCRIPTORS,)),
    Attack(number="9", run=write_a_program_of_the_host, walls=(Wall.READ_ONLY, Wall.USER), only_root=True),
    Attack(number="10", run=write_into_what_is_lent, walls=READ_ONLY, with_folder=True),
    Attack(number="10a", run=replace_what_is_lent, walls=READ_ONLY, with_folder=True),
    Attack(number="10b", run=change_who_may_read_what_is_lent, walls=READ_ONLY, with_folder=True),
    Attack(number="11", run=write_into_the_root, walls=(Wall.ROOT,)),
    Attack(number="13", run=replace_the_guest, walls=(Wall.ROOT,)),
    Attack(number="16a", run=speak_to_a_service_by_its_file, walls=TREE),
    Attack(number="3a", run=read_shared_memory_files, walls=TREE),
    Attack(number="55", run=list_the_hosts_control_groups, walls=TREE),
    Attack(number="52", run=find_a_disk_among_the_devices, walls=(Wall.DEVICES,)),
)
