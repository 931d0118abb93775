/**
 * The inspection for where pythonia is not installed: the same sections as `doctor-child.ts`, as lines of
 * JSON. Its arguments are the packages to ask for.
 */
export const inspectionScript = `
import importlib.metadata as metadata, json, platform, sys
def say(kind, **rest):
    print(json.dumps({"kind": kind, **rest}), flush=True)
def version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
def interpreter():
    return {"executable": sys.executable, "version": platform.python_version(),
            "implementation": platform.python_implementation(), "prefix": sys.prefix}
def packages():
    return {package: version(package) for package in sys.argv[1:]}
def devices():
    import torch
    cuda = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    return {"torch": str(torch.__version__), "threads": torch.get_num_threads(), "cudaBuild": torch.version.cuda,
            "cuda": [{"name": p.name, "memoryBytes": p.total_memory, "capability": f"{p.major}.{p.minor}"} for p in cuda],
            "mps": torch.backends.mps.is_available()}
def attention():
    from torch.backends import cuda
    return {"flash": cuda.flash_sdp_enabled(), "memoryEfficient": cuda.mem_efficient_sdp_enabled(),
            "math": cuda.math_sdp_enabled(), "flashAttn": version("flash-attn")}
for section in (interpreter, packages, devices, attention):
    say("begin", section=section.__name__)
    try:
        say("section", section=section.__name__, value=section())
    except BaseException as error:
        say("failed", section=section.__name__, error=f"{type(error).__name__}: {error}")
        break
say("end")
`;
