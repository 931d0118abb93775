/** The worker's Python environment, opened to a script: docs/python.md. */
export { type OpenPythonOptions, openPython } from "./open-python.ts";
