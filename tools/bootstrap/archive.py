"""A Debian suite, fetched with an apt state of its own, and its packages unpacked into a folder."""
import concurrent.futures
import contextlib
import dataclasses
import fcntl
import os
import pathlib
import subprocess
import urllib.parse

PUBLIC_MIRROR = "http://deb.debian.org/debian"
KEYRINGS = ("/usr/share/keyrings/debian-archive-keyring.pgp", "/usr/share/keyrings/debian-archive-keyring.gpg")

# apt sees an empty machine that already has this: linux-image wants something that makes initramfs images, and
# would pull in dracut, systemd and udev for it. Ours is made by tools/guest.
STATUS = """\
Package: virtgpu-makes-its-own-initramfs
Status: install ok installed
Architecture: all
Version: 1
Maintainer: none
Provides: linux-initramfs-tool
Description: stands in for an initramfs generator
"""


class ArchiveError(Exception):
    pass


@dataclasses.dataclass(frozen=True)
class PackageFile:
    path: pathlib.Path

    @property
    def name(self):
        return self.path.name.split("_")[0]

    @property
    def version(self):
        return urllib.parse.unquote(self.path.name.split("_")[1])  # apt writes the epoch's colon as %3a


@contextlib.contextmanager
def lock(path):
    with open(path, "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def machine_mirror():
    """The mirror that this machine's own apt uses for Debian, so that its cache and its network rules are respected."""
    query = ["apt-get", "indextargets", "--format", "$(LABEL)|$(REPO_URI)", "Identifier: Packages"]
    answer = subprocess.run(query, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    for line in answer.stdout.splitlines():
        label, _, uri = line.partition("|")
        # Without downloaded lists apt does not know the label yet; then the customary path has to do.
        if label == "Debian" or not label and uri.rstrip("/").endswith("/debian"):
            return uri.rstrip("/")
    return PUBLIC_MIRROR


class Archive:
    def __init__(self, folder, suite, components="main"):
        """`folder` keeps the apt state; a half-done download in it is continued."""
        self._folder = folder
        self._suite = suite
        self._components = components
        for name in ("lists/partial", "archives/partial"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "status").write_text(STATUS, encoding="ascii")

    def update(self, progress):
        own = machine_mirror()
        for mirror in dict.fromkeys((own, PUBLIC_MIRROR)):
            self._write_sources(mirror)
            problem = self._apt(["update"], progress)
            if problem is None:
                progress.done(f"from {mirror}")
                return
            print(f"\n  {mirror} does not serve {self._suite}: {problem}", flush=True)
        raise ArchiveError(f"no Debian mirror could be used for {self._suite}. Is the network reachable, "
                           "and is debian-archive-keyring up to date?")

    def download(self, names, progress):
        """Fetches the packages and what they depend on; returns all of their files."""
        problem = self._apt(["install", "--download-only", "-y", *names], progress)
        if problem is not None:
            raise ArchiveError(f"downloading packages failed: {problem}. Run it again to go on where it stopped")
        wanted = {line.split()[1] for line in self._uris(names)}
        files = [PackageFile(self._folder / "archives" / name) for name in sorted(wanted)]
        progress.done(f"{len(files)} packages, {sum(file.path.stat().st_size for file in files) / 1e6:.0f} MB")
        return files

    def download_alone(self, names, progress):
        """Fetches the packages and nothing that they depend on; returns their files."""
        folder = self._folder / "archives"
        problem = self._apt(["download", *names], progress, folder)
        if problem is not None:
            raise ArchiveError(f"downloading packages failed: {problem}. Run it again to go on where it stopped")
        # It leaves out what is in the folder where it is asked.
        answer = subprocess.run(self._command(["download", "--print-uris", "-qq", *names]), cwd=self._empty_folder(),
                                stdout=subprocess.PIPE, text=True, check=True)
        files = [PackageFile(folder / line.split()[1]) for line in answer.stdout.splitlines() if line.startswith("'")]
        progress.done(f"{len(files)} packages, {sum(file.path.stat().st_size for file in files) / 1e6:.0f} MB")
        return files

    def _uris(self, names):
        # --print-uris leaves out what is already downloaded, so it is asked as if nothing were.
        command = self._command(["install", "--print-uris", "-qq", *names]) + \
            ["-o", f"Dir::Cache::archives={self._empty_folder()}"]
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return [line for line in answer.stdout.splitlines() if line.startswith("'")]

    def _empty_folder(self):
        empty = self._folder / "none"
        (empty / "partial").mkdir(parents=True, exist_ok=True)
        return empty

    def _write_sources(self, mirror):
        keyring = next((path for path in KEYRINGS if os.path.exists(path)), None)
        if keyring is None:
            raise ArchiveError("Debian's signing keys are missing; install debian-archive-keyring")
        (self._folder / "debian.sources").write_text(
            f"Types: deb\nURIs: {mirror}\nSuites: {self._suite}\nComponents: {self._components}\nSigned-By: {keyring}\n",
            encoding="ascii")

    def _command(self, arguments):
        options = {
            "Dir::State": self._folder,
            "Dir::State::lists": self._folder / "lists",
            "Dir::State::status": self._folder / "status",
            "Dir::Cache": self._folder,
            "Dir::Cache::archives": self._folder / "archives",
            "Dir::Etc::sourcelist": self._folder / "debian.sources",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "APT::Architecture": "amd64",
            "APT::Architectures": "amd64",
            "APT::Default-Release": self._suite,
            "APT::Install-Recommends": "false",
            "Acquire::Languages": "none",
            # Signatures are checked; only their date is not: the InRelease file of a testing suite on a slow
            # mirror can be past its Valid-Until for a few days.
            "Acquire::Check-Valid-Until": "false",
            # As root apt would fetch as the user _apt, who may not write into our folder.
            "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
        }
        settings = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return ["apt-get", *settings, *arguments]

    def _apt(self, arguments, progress, folder=None):
        """Runs apt-get, in `folder` if one is given; returns None, or what went wrong."""
        readable, writable = os.pipe()
        with open(readable, encoding="utf-8", errors="replace") as status:
            process = subprocess.Popen(
                self._command([*arguments, "-qq", "-o", f"APT::Status-Fd={writable}"]), pass_fds=[writable], cwd=folder,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            os.close(writable)
            for line in status:
                fields = line.rstrip("\n").split(":", 3)
                if fields[0] == "dlstatus":
                    progress.show(float(fields[2]), fields[3])
            errors = process.communicate()[1]
        failures = [line for line in errors.splitlines() if line.startswith(("E:", "W: Failed"))]
        if process.returncode != 0 or failures:
            return " ".join(failures) or f"apt-get ended with {process.returncode}"
        return None


def unpack(files, root, progress):
    """Unpacks the packages into `root`. No maintainer script runs, so this needs no rights."""
    root.mkdir(parents=True)
    # /bin, /lib ... are links into /usr; made first, so that no package makes a folder of that name.
    for name in ("bin", "lib", "lib64", "sbin"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    total = sum(file.path.stat().st_size for file in files)
    finished = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        largest_first = sorted(files, key=lambda file: -file.path.stat().st_size)
        jobs = {pool.submit(_unpack_one, file, root): file for file in largest_first}
        for job in concurrent.futures.as_completed(jobs):
            job.result()
            finished += jobs[job].path.stat().st_size
            progress.show(100 * finished / total, jobs[job].name)
    progress.done()


def _unpack_one(file, root):
    # Not by dpkg-deb -x: packages of Debian 12 have files in /lib and /bin, whose links it would replace by folders.
    reading = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", file.path], stdout=subprocess.PIPE)
    answer = subprocess.run(["tar", "-x", "--keep-directory-symlink", "-C", root], stdin=reading.stdout,
                            stderr=subprocess.PIPE, text=True, check=False)
    reading.stdout.close()
    if reading.wait() != 0 or answer.returncode != 0:
        raise ArchiveError(f"cannot unpack {file.path.name}: {answer.stderr.strip()}")
