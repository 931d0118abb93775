/**
 * Faults that a library could have in a worker, each at a signal. Every Python imports this file by itself.
 */
export const workerFaults = `
import ctypes, os, signal, socket, stat, subprocess, sys

def lose_connection(*_):
    for name in os.listdir("/proc/self/fd"):
        try:
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                link = socket.socket(fileno=os.dup(int(name)))
                link.getpeername()  # raises for the one that listens
                # What leads to the parent are sockets as well.
                if "depthkit-" in str(link.getsockname()):
                    link.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

def keep_the_lock(*_):
    ctypes.PyDLL(None).sleep(600)

def leave_a_child(*_):
    child = subprocess.Popen(["sleep", "600"])
    print("before the end, child", child.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

def garble(*_):
    from depthkit_worker.session.call import Call
    Call.answer = lambda self, _: self._send([self.client, b"\\xc1"])
    print("garbling", file=sys.stderr, flush=True)

signal.signal(signal.SIGUSR1, lose_connection)
signal.signal(signal.SIGUSR2, keep_the_lock)
signal.signal(signal.SIGWINCH, leave_a_child)
signal.signal(signal.SIGTTOU, garble)
`;
