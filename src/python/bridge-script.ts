/**
 * What Python runs of ours: pythonia's `Bridge.py` behind pipes. pythonia starts Python by itself too, but
 * only one for a process, on that process's own streams, and one that outlives it while it is busy.
 * Its argument is the folder of pythonia's Python files.
 */
export const bridgeScript = `
import json, os, queue, signal, sys, threading, time, traceback

# Requests come by standard input and answers go by standard output. What the caller's code prints goes to
# standard error, and what it reads is empty.
requests = os.fdopen(os.dup(0), encoding="utf-8", newline="\\n")
answers = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\\n")
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.dup2(2, 1)
arrived = queue.SimpleQueue()

def listen():
    for line in requests:
        arrived.put(line)
    # The parent has closed the pipe, or is gone: an end in good order first, by force when that takes long.
    arrived.put("")
    time.sleep(0.5)
    if hasattr(os, "killpg") and os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)

threading.Thread(target=listen, daemon=True).start()

# Its names are too plain to stay: a "proxy" of the caller's own must import.
folder = sys.argv.pop(1)
sys.path.insert(0, folder)
from Bridge import Bridge
from proxy import Proxy
del sys.path[0]
for name in ("Bridge", "proxy", "json_patch"):
    sys.modules.pop(name, None)

def told(error):
    trace = error.__traceback__
    while trace and trace.tb_frame.f_code.co_filename.startswith(folder):
        trace = trace.tb_next
    lines = traceback.format_exception(type(error), error, trace)
    return {"val": [type(error).__name__, str(error)], "sig": "".join(lines)}

class Line:
    readline = staticmethod(arrived.get)

    def queue(self, message):
        if not isinstance(message, str):
            if message.get("key") == "error":
                message = {**message, **told(sys.exc_info()[1])}
            # NaN is no JSON: better an exception here than an answer that nobody can read.
            message = json.dumps(message, allow_nan=False)
        answers.write(message + "\\n")
        answers.flush()

class Iterate:
    """pythonia's own takes an exception inside the iterator for its end."""
    def __init__(self, what):
        values = iter(what)
        self.Next = lambda: next(values, "$$STOPITER")

def plain(value):
    def default(part):
        if hasattr(part, "tolist"):
            return part.tolist()
        if isinstance(part, (set, frozenset)):
            return list(part)
        raise TypeError(f"{type(part).__name__} has no form in JSON; take numbers, text or lists of it")
    return json.dumps(value, default=default, allow_nan=False)

bridge = Bridge(Line())
bridge.m[0].update(Iterate=Iterate, plain=plain)
try:
    while line := arrived.get():
        message = json.loads(line)
        bridge.onMessage(*(message[name] for name in ("r", "action", "ffid", "key", "val")))
finally:
    # Nobody is there to be told that a function of theirs is not needed any more.
    del Proxy.__del__
`;
