"""The layers that confine the decoding process before it sees the first file. Only it may import this.

Every layer is tried. `confine` returns those that hold, because kernels and containers differ in what they
allow an ordinary process. The layers overlap on purpose: what one misses, another refuses.
"""

import ctypes
import errno
import os
import resource
import struct
from collections.abc import Callable, Iterable
from pathlib import Path

MEMORY_BYTES = 3 * 1024**3
_NEW_USER, _NEW_IPC, _NEW_NET = 0x1000_0000, 0x0800_0000, 0x4000_0000  # unshare(2)
_SET_NO_NEW_PRIVS, _GET_NO_NEW_PRIVS, _SET_DUMPABLE = 38, 39, 4  # prctl(2)
_CAPABILITY_VERSION = 0x2008_0522  # capset(2)
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # landlock(7), equal on every architecture
_READ_FILE, _READ_DIR, _PATH_BENEATH = 1 << 2, 1 << 3, 1
_ALLOW, _REFUSE = 0x7FFF_0000, 0x0005_0000 | errno.EPERM  # seccomp(2)
_EQUAL = 4  # comparison of libseccomp

_libc = ctypes.CDLL(None, use_errno=True)


def _open_seccomp() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return None
    library.seccomp_init.restype = ctypes.c_void_p
    return library


_seccomp = _open_seccomp()  # now, because no library can be opened once files are restricted

_OWN_MEMORY = "mmap munmap mremap mprotect madvise brk mlock munlock"
_OPEN_FILES = (
    "read readv pread64 write writev lseek _llseek close fstat fstat64 fcntl fcntl64 dup ioctl fadvise64"
)
_PATHS = (
    "open openat stat stat64 lstat lstat64 newfstatat fstatat64 statx access faccessat faccessat2 "
    "readlink readlinkat getcwd getdents64"
)
_TIME = (
    "clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday times getrusage setitimer getitimer"
)
_SELF = (
    "getpid gettid getppid getuid geteuid getgid getegid getrlimit ugetrlimit setrlimit uname sysinfo "
    "getrandom sched_yield sched_getaffinity futex membarrier rseq set_robust_list poll ppoll select pselect6"
)
_SIGNALS = "rt_sigaction rt_sigprocmask rt_sigreturn sigreturn sigaltstack restart_syscall exit exit_group"
ALLOWED_CALLS = " ".join((_OWN_MEMORY, _OPEN_FILES, _PATHS, _TIME, _SELF, _SIGNALS)).split()
"""System calls of the decoder. All others, such as socket, execve, clone, ptrace and kill, are refused."""

CALLS_ON_ITSELF = {"prlimit64": 0, "tgkill": os.getpid()}
"""Calls that name a process, and the only process that they may name: limits of its own, and abort()."""


class _Comparison(ctypes.Structure):
    """scmp_arg_cmp of libseccomp."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("value", ctypes.c_uint64),
        ("unused", ctypes.c_uint64),
    )


def confine(readable: Iterable[str]) -> list[str]:
    """Confine this process for good; it can still read files below the folders `readable`.

    Returns the names of the layers that hold. Limits of memory and files hold everywhere.
    """
    layers: dict[str, Callable[[], bool]] = {
        "namespaces": leave_network,
        "no-new-privileges": forbid_new_privileges,
        "capabilities": drop_capabilities,
        "landlock": lambda: restrict_files(readable),
        "limits": limit_resources,
        "seccomp": restrict_calls,  # last, because it refuses what the others need
    }
    return [name for name, layer in layers.items() if layer()]


def _done(answer: int) -> bool:
    """Return whether a call to the C library reports success."""
    return answer == 0


def leave_network() -> bool:
    """Move to a network and to shared memory of its own, where nobody else is."""
    own = _NEW_IPC | _NEW_NET
    return _done(_libc.unshare(_NEW_USER | own)) or _done(_libc.unshare(own))


def forbid_new_privileges() -> bool:
    """Make set-user-ID programs powerless, and keep other processes of this user out of this one."""
    _libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0)
    _libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    forbidden: int = _libc.prctl(_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
    return forbidden == 1


def drop_capabilities() -> bool:
    """Give up every capability, also those of root and of a user namespace."""
    header = struct.pack("Ii", _CAPABILITY_VERSION, 0)
    return _done(_libc.capset(header, bytes(24)))


def restrict_files(readable: Iterable[str]) -> bool:
    """Allow reading below `readable`, and no other use of paths, TCP, or signals to others."""
    version = _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    attributes = _ruleset(version)
    ruleset = _libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return False
    try:
        for folder in filter(os.path.isdir, readable):
            _allow_reading(ruleset, folder)
        return _done(_libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _ruleset(version: int) -> bytes:
    """Return landlock_ruleset_attr: everything that this version of the kernel's interface can refuse."""
    files = (1 << 13) - 1
    for since, bit in ((2, 13), (3, 14), (5, 15)):  # refer, truncate, ioctl of devices
        files |= (version >= since) << bit
    parts = [files]
    if version >= 4:
        parts.append(0b11)  # bind and connect TCP
    if version >= 6:
        parts.append(0b11)  # abstract sockets and signals
    return struct.pack(f"{len(parts)}Q", *parts)


def _allow_reading(ruleset: int, folder: str) -> None:
    parent = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", _READ_FILE | _READ_DIR, parent)
        _libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(parent)


def limit_resources() -> bool:
    """Limit memory and open files, and forbid written files, dumps and further processes."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    for none in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_NPROC):
        resource.setrlimit(none, (0, 0))
    return True


def restrict_calls() -> bool:
    """Refuse every system call that decoding does not need, by libseccomp if the machine has it."""
    if _seccomp is None:
        return False
    calls = ctypes.c_void_p(_seccomp.seccomp_init(_REFUSE))
    for name in ALLOWED_CALLS:
        _allow_call(_seccomp, calls, name)
    for name, process in CALLS_ON_ITSELF.items():
        _allow_call(_seccomp, calls, name, _Comparison(0, _EQUAL, process, 0))
    loaded: int = _seccomp.seccomp_load(calls)
    _seccomp.seccomp_release(calls)
    return loaded == 0


def _allow_call(seccomp: ctypes.CDLL, calls: ctypes.c_void_p, name: str, *only: _Comparison) -> None:
    """Allow a call by its name; a name that this architecture does not have is passed over."""
    number = seccomp.seccomp_syscall_resolve_name(name.encode())
    comparisons = (_Comparison * len(only))(*only)
    seccomp.seccomp_rule_add_array(calls, ctypes.c_uint32(_ALLOW), number, len(only), comparisons)


def folders_of_data() -> list[str]:
    """Return the folders that GDAL and PROJ may read: coordinate systems, no data of users."""
    import pyproj.datadir  # noqa: PLC0415  (the tests of the layers need none of it)
    import rasterio.env  # noqa: PLC0415

    package = Path(rasterio.env.__file__).parent
    named = (os.environ.get(name) for name in ("GDAL_DATA", "PROJ_DATA", "PROJ_LIB"))
    return [
        pyproj.datadir.get_data_dir(),
        str(package / "gdal_data"),
        str(package / "proj_data"),
        *filter(None, named),
    ]
