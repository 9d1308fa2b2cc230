"""injected_calls.py - has a process that runs make a system call, as one would that was taken over.

Its first thread, which waits in a system call, is stopped, made to do another one, and put back
where it was.  For x86-64.
"""
import contextlib
import ctypes
import os
import platform
import signal
import struct

# Sanitizers write files of their own, so that with them no file is forbidden.
POSSIBLE = (platform.machine() == "x86_64" and os.geteuid() == 0
            and "ASAN_OPTIONS" not in os.environ)
NUMBERS = {"open": 2, "socket": 41, "connect": 42, "bind": 49, "execve": 59, "kill": 62,
           "unlink": 87, "ptrace": 101, "mount": 165, "close": 3}
AF_INET, AF_PACKET, SOCK_STREAM = 2, 17, 1

_ATTACH, _DETACH, _STEP, _GETREGS, _SETREGS = 16, 17, 9, 12, 13
_REGISTERS = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags "
              "rsp ss fs_base gs_base ds es fs gs").split()
_SYSCALL = b"\x0f\x05"
_ROOM = 8192  # below the stack pointer, where nothing is
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def landlock():
    """The version that the kernel has; 0 or less: none."""
    return _libc.syscall(444, None, 0, 1)


class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in _REGISTERS]


def _ptrace(what, pid, data=None):
    if _libc.ptrace(what, pid, None, data) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace {what} of {pid}")


def _registers(pid):
    found = Registers()
    _ptrace(_GETREGS, pid, ctypes.byref(found))
    return found


def _wait(pid):
    _, status = os.waitpid(pid, 0x40000000)  # __WALL
    assert os.WIFSTOPPED(status), f"{pid} has ended"


@contextlib.contextmanager
def taken_over(pid):
    """Yields call(name, argument...) -> what the kernel answers; texts and bytes are put into its
    memory.  The process goes on afterwards as if nothing had been."""
    _ptrace(_ATTACH, pid)
    _wait(pid)
    before = _registers(pid)
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        memory.seek(before.rip - len(_SYSCALL))
        assert memory.read(len(_SYSCALL)) == _SYSCALL, "it does not wait in a system call"
        room = (before.rsp - _ROOM) & ~15
        memory.seek(room)
        kept = memory.read(_ROOM // 2)

        def call(name, *arguments):
            numbers, at = [], room
            for argument in arguments:
                if isinstance(argument, int):
                    numbers.append(argument)
                    continue
                data = argument if isinstance(argument, bytes) else os.fsencode(argument) + b"\0"
                memory.seek(at)
                memory.write(data)
                numbers.append(at)
                at += len(data) + 15 & ~15
            numbers += [0] * (6 - len(numbers))
            now = _registers(pid)
            now.rip, now.orig_rax, now.rax = before.rip - len(_SYSCALL), 2 ** 64 - 1, NUMBERS[name]
            now.rdi, now.rsi, now.rdx, now.r10, now.r8, now.r9 = numbers
            _ptrace(_SETREGS, pid, ctypes.byref(now))
            _ptrace(_STEP, pid)
            _wait(pid)
            return ctypes.c_long(_registers(pid).rax).value

        try:
            yield call
        finally:
            memory.seek(room)
            memory.write(kept)
            _ptrace(_SETREGS, pid, ctypes.byref(before))
            _ptrace(_DETACH, pid)
            os.kill(pid, signal.SIGCONT)


def address(port):
    return struct.pack("<H", AF_INET) + struct.pack(">H", port) + b"\x7f\0\0\1" + bytes(8)
