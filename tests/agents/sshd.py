"""A real OpenSSH server on a port of its own, with keys, files and a home of its own.

Nothing of the system's own server is used, and nothing of `~/.ssh`. The host that it stands for is
`gpu1`, or another one of `HOSTS`, by aliases in the configuration that its client is given.
"""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests import surroundings
from tests.waiting import wait_until

HOST = "gpu1"
# All of them are the one server.
HOSTS = (HOST, "gpu2", "login", "bastion")
PROGRAM = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
# Where Debian's server looks for its empty folder, which a service would have made at its start.
RUN = Path("/run/sshd")


def free_port() -> int:
    """A port of the loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Sshd:
    """An SSH server, running from its making until `close`.

    Args:
        folder: takes its files, the home of who logs in among them.
        address: where it listens, and its client connects to.
        around: words before the server's own, as those that put it into another namespace.
        client_around: the same for the client.

    Raises:
        AssertionError: it doesn't start; says what it said.
    """

    def __init__(
        self,
        folder: Path,
        *,
        address: str = "127.0.0.1",
        around: Sequence[str] = (),
        client_around: Sequence[str] = (),
    ) -> None:
        assert PROGRAM is not None, "there is no sshd: apt-get install openssh-server"
        self.folder = folder
        folder.mkdir(parents=True)
        folder.chmod(0o700)
        self.home = folder / "home"
        self.home.mkdir()
        # Where who logs in finds programs first.
        self.programs = folder / "programs"
        self.programs.mkdir()
        # In another network namespace, any port is free.
        self.port = 2222 if around else free_port()
        self._address = address
        self._client_around = tuple(client_around)
        self._write_files()
        if os.getuid() == 0:
            RUN.mkdir(mode=0o755, exist_ok=True)
        self.log = folder / "sshd.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [*around, PROGRAM, "-D", "-e", "-f", str(folder / "sshd_config")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_until(self._answers, what="the SSH server to answer")
        except AssertionError as problem:
            self.close()
            raise AssertionError(f"{problem}\n{self.log.read_text()}") from None
        started = psutil.Process(self.process.pid)
        # What enters a namespace of processes stays outside, as the parent.
        self.server_pid = (started if started.name() == "sshd" else started.children()[0]).pid

    @property
    def via(self) -> str:
        """The text of `--via` that leads there."""
        return shlex.join(
            [*self._client_around, "ssh", "-F", str(self.folder / "ssh_config"), HOST]
        )

    def words(self, *remote: str) -> list[str]:
        """The command that runs words there, by the shell of who logs in."""
        return [*shlex.split(self.via), *remote]

    def run(self, *remote: str) -> str:
        """Run words there, and return what they print.

        Raises:
            subprocess.CalledProcessError: they ended badly.
        """
        return subprocess.check_output(
            self.words(*remote), stdin=subprocess.DEVNULL, text=True, timeout=30
        )

    def logins(self) -> list[psutil.Process]:
        """The server's processes of connections: one or two for each."""
        return children_of(self.server_pid, "sshd")

    def close(self) -> None:
        """End it, and every connection to it."""
        # First the server, so that no connection begins while those that stand are ended.
        left = children_of(self.process.pid)
        if self.process.poll() is None:
            self.process.kill()
        for process in left:
            _end(process.pid)
        self.process.wait()

    def _answers(self) -> bool:
        """Whether somebody can log in; fails at once if the server has ended."""
        if self.process.poll() is not None:
            raise AssertionError("the SSH server ended")
        return (
            subprocess.run(
                self.words("true"), stdin=subprocess.DEVNULL, capture_output=True, timeout=30
            ).returncode
            == 0
        )

    def _write_files(self) -> None:
        for name in ("host_key", "user_key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name]
            subprocess.run([*command, "-f", str(self.folder / name)], check=True)
        public = (self.folder / "host_key.pub").read_text()
        (self.folder / "known_hosts").write_text(f"{HOST} {public}")
        shutil.copy(self.folder / "user_key.pub", self.folder / "authorized_keys")
        # Who logs in has no other surroundings than a login gives, but for the mark of the tests.
        environment = {
            surroundings.MARK: os.environ.get(surroundings.MARK, "none"),
            "HOME": self.home,
            "PATH": f"{self.programs}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
        }
        (self.folder / "sshd_config").write_text(
            f"ListenAddress {self._address}\n"
            f"Port {self.port}\n"
            f"HostKey {self.folder}/host_key\n"
            f"AuthorizedKeysFile {self.folder}/authorized_keys\n"
            f"SetEnv {' '.join(f'{name}={value}' for name, value in environment.items())}\n"
            "PidFile none\n"
            "AuthenticationMethods publickey\n"
            "PermitRootLogin prohibit-password\n"
            "PermitUserRC no\n"
            # Temporary folders are everybody's.
            "StrictModes no\n"
            "UsePAM no\n"
            "UseDNS no\n"
            "PrintMotd no\n"
            "PrintLastLog no\n"
            # Many links at once are made by these tests, and broken ones.
            "MaxStartups 100\n"
        )
        (self.folder / "ssh_config").write_text(
            f"Host {' '.join(HOSTS)}\n"
            f"  HostName {self._address}\n"
            f"  Port {self.port}\n"
            f"  HostKeyAlias {HOST}\n"
            f"  User {pwd.getpwuid(os.getuid()).pw_name}\n"
            f"  IdentityFile {self.folder}/user_key\n"
            "  IdentitiesOnly yes\n"
            "  IdentityAgent none\n"
            f"  UserKnownHostsFile {self.folder}/known_hosts\n"
            "  GlobalKnownHostsFile /dev/null\n"
            "  StrictHostKeyChecking yes\n"
            "  UpdateHostKeys no\n"
            "  BatchMode yes\n"
            "  ConnectTimeout 10\n"
        )


def children_of(pid: int, name: str = "") -> list[psutil.Process]:
    """The living descendants of a process, of one name if it is given."""
    try:
        found = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []
    living = []
    for process in found:
        try:
            if process.status() != psutil.STATUS_ZOMBIE and name in process.name():
                living.append(process)
        except psutil.Error:
            continue
    return living


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
